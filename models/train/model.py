"""A LLaVA-1.5 architecture in small: CLIP-style ViT, Linear-GELU-Linear projector, LLaMA decoder."""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from ops import rms, ln, swiglu, qgelu, split_qkv, merge, add

BF = torch.bfloat16

CFG = dict(image=336, patch=14, v_dim=192, v_heads=6, v_ffn=768, v_layers=6, v_eps=1e-5,
           dim=256, heads=4, ffn=512, layers=8, vocab=768, eps=1e-5, theta=10000.0)


def lin(x, w, b=None):
    return F.linear(x, w.to(x.dtype), None if b is None else b.to(x.dtype))


def rope_tables(pos, hd, theta):
    """cos | sin of shape pos.shape + (hd,) in fp32; pairs are (j, j + hd/2) as Hugging Face stores LLaMA."""
    f = theta ** (-torch.arange(0, hd, 2, dtype=torch.float32, device=pos.device) / hd)
    a = pos.float()[..., None] * f
    return torch.cat([a.cos(), a.sin()], -1).contiguous()


def _sincos(n, dim):
    ys, xs = torch.meshgrid(torch.arange(n), torch.arange(n), indexing='ij')
    q = dim // 4
    f = 100.0 ** (-torch.arange(q).float() / q)
    out = []
    for v in (ys, xs):
        a = v.reshape(-1, 1).float() * f
        out += [a.sin(), a.cos()]
    return torch.cat(out, 1)


def _dct_patches(d, p):
    """A patch embedding to start from: low-frequency cosines of brightness and two colour differences."""
    import numpy as np
    n = np.arange(p)
    C = np.stack([np.cos(np.pi * (n + .5) * u / p) * ((1 if u == 0 else 2) / p) ** .5 for u in range(p)])
    uv = sorted(((u, v) for u in range(p) for v in range(p)), key=lambda t: (t[0] + t[1], max(t), t))
    ch = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], np.float32)
    ch /= np.linalg.norm(ch, axis=1, keepdims=True)
    rows = []
    nl = d - 2 * (d // 4)
    for c, m in ((0, nl), (1, d // 4), (2, d // 4)):
        for u, v in uv[:m]:
            b = np.outer(C[u], C[v]) * .1 * (1 + .7 * (u + v))
            rows.append((ch[c][:, None, None] * b).reshape(-1))
    W = np.stack(rows).astype(np.float32)
    q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))
    return torch.from_numpy((q @ W).astype(np.float32))


def _local_qk(d, H, layer):
    """Query and key weights whose heads look at fixed offsets, read from the sine position table."""
    hd, q = d // H, d // 4
    r = [1, 1, 2, 2, 3, 1, 2, 3][layer % 8]
    offs = [(0, 0), (-r, 0), (r, 0), (0, -r), (0, r), [(r, r), (-r, r), (0, 0)][layer % 3]]
    f = 100.0 ** (-torch.arange(q).float() / q)
    Wq, Wk = torch.zeros(d, d), torch.zeros(d, d)
    g = 2.6
    fi = [round(i * 2.6) for i in range(hd // 4)]
    for h in range(H):
        for ax in range(2):
            dl = offs[h % len(offs)][ax]
            for n, i in enumerate(fi):
                s, c, o = ax * 2 * q + i, ax * 2 * q + q + i, h * hd + ax * hd // 2 + 2 * n
                Wk[o, s] = Wk[o + 1, c] = g
                co, si = math.cos(f[i] * dl), math.sin(f[i] * dl)
                Wq[o, s], Wq[o, c] = g * co, g * si          # sin(y + dl)
                Wq[o + 1, c], Wq[o + 1, s] = g * co, -g * si  # cos(y + dl)
    return Wq, Wk


class ViT(nn.Module):
    def __init__(self, c=CFG):
        super().__init__()
        self.c = c
        d, L, ff = c['v_dim'], c['v_layers'], c['v_ffn']
        g = c['image'] // c['patch']
        self.patch = nn.Parameter(torch.randn(d, 3 * c['patch'] ** 2) * .02)
        self.cls = nn.Parameter(torch.randn(d) * .02)
        self.pos = nn.Parameter(torch.cat([torch.zeros(1, d), _sincos(g, d) * .5]))
        self.pre_w, self.pre_b = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))
        P = lambda *s: nn.ParameterList([nn.Parameter(torch.randn(*s) * (s[-1] ** -.5) * .7) for _ in range(L)])
        Z = lambda n, v=0.: nn.ParameterList([nn.Parameter(torch.full((n,), v)) for _ in range(L)])
        self.wq, self.wk, self.wv, self.wo = P(d, d), P(d, d), P(d, d), P(d, d)
        self.bq, self.bk, self.bv, self.bo = Z(d), Z(d), Z(d), Z(d)
        self.w1, self.w2 = P(ff, d), P(d, ff)
        self.b1, self.b2 = Z(ff), Z(d)
        self.n1w, self.n1b, self.n2w, self.n2b = Z(d, 1.), Z(d), Z(d, 1.), Z(d)
        for l in range(L):
            self.wo[l].data.mul_(.3)
            self.w2[l].data.mul_(.3)
            Wq, Wk = _local_qk(d, c['v_heads'], l)
            self.wq[l].data.mul_(.2).add_(Wq)
            self.wk[l].data.mul_(.2).add_(Wk)
        self.patch.data.copy_(_dct_patches(d, c['patch']))

    def forward(self, pix, idx=None):
        """pix: B,N,588 normalised patches (channel-major); idx: B,N patch numbers.  Returns B,N,d (CLS dropped)."""
        c = self.c
        B, N, _ = pix.shape
        H, d = c['v_heads'], c['v_dim']
        x = lin(pix.to(BF), self.patch).float()
        x = x + (self.pos[1:][idx] if idx is not None else self.pos[1:])
        x = torch.cat([(self.cls + self.pos[0]).expand(B, 1, d), x], 1)
        x = F.layer_norm(x, (d,), self.pre_w, self.pre_b, c['v_eps'])
        T = N + 1
        for l in range(c['v_layers']):
            h = ln(x, self.n1w[l], self.n1b[l], c['v_eps'])
            qkv = lin(h, torch.cat([self.wq[l] * (d // H) ** -.5, self.wk[l], self.wv[l]]),
                      torch.cat([self.bq[l] * (d // H) ** -.5, self.bk[l], self.bv[l]]))
            q, k, v = split_qkv(qkv, None, H, T)[:3]
            o = torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)), -1), v)
            x = add(x, lin(merge(o, H), self.wo[l], self.bo[l]))
            h = ln(x, self.n2w[l], self.n2b[l], c['v_eps'])
            x = add(x, lin(qgelu(lin(h, self.w1[l], self.b1[l])), self.w2[l], self.b2[l]))
        return x[:, 1:]


class Projector(nn.Module):
    def __init__(self, c=CFG):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(c['dim'], c['v_dim']) * c['v_dim'] ** -.5)
        self.b1 = nn.Parameter(torch.zeros(c['dim']))
        self.w2 = nn.Parameter(torch.randn(c['dim'], c['dim']) * c['dim'] ** -.5)
        self.b2 = nn.Parameter(torch.zeros(c['dim']))

    def forward(self, f):
        return lin(F.gelu(lin(f.to(BF), self.w1, self.b1)), self.w2, self.b2).float()


class LLM(nn.Module):
    def __init__(self, c=CFG):
        super().__init__()
        self.c = c
        d, L, ff, V = c['dim'], c['layers'], c['ffn'], c['vocab']
        # Where training starts.  Words live in the first half of the residual stream, what visual tokens show in the
        # second half (and, weaker, in the first).  In the first two layers words attend to visual tokens that show
        # them (through the slowly rotating pairs, which work at any distance) and copy what these hold; the other
        # layers start with copying heads; the output head reads words from the second half.
        A = d // 2
        self.emb = nn.Parameter(torch.randn(V, d) * .02)
        self.emb.data[:, :A] = torch.randn(V, A) * .7
        P = lambda o, i, s: nn.ParameterList([nn.Parameter(torch.randn(o, i) * s) for _ in range(L)])
        self.wq, self.wk = P(d, d, .03), P(d, d, .03)
        self.wv, self.wo = P(d, d, .01), P(d, d, .01)
        self.wg, self.wu, self.wd = P(ff, d, d ** -.5), P(ff, d, d ** -.5), P(d, ff, ff ** -.5 * .3)
        one = lambda: nn.ParameterList([nn.Parameter(torch.ones(d)) for _ in range(L)])
        self.n1, self.n2 = one(), one()
        self.nf = nn.Parameter(torch.ones(d))
        self.head = nn.Parameter(torch.randn(V, d) * .01)
        self.head.data[:, A:] += .06 * self.emb.data[:, :A]
        H, hd = c['heads'], d // c['heads']
        slow = (torch.arange(hd) % (hd // 2) >= int(hd * .31)).float().repeat(H)
        for l in range(L):
            if l < 2:
                R = torch.randn(d, A) * (1.4 * A ** -.5) * slow[:, None]
                self.wq[l].data[:, :A] += R
                self.wk[l].data[:, A:] += R
                for h in range(H):
                    o = A + (h * hd) % A
                    self.wv[l].data[h * hd:(h + 1) * hd, o:o + hd] += torch.eye(hd)
                    self.wo[l].data[o:o + hd, h * hd:(h + 1) * hd] += torch.eye(hd) * .5
            else:
                o = torch.linalg.qr(torch.randn(d, d))[0]
                self.wv[l].data.add_(o)
                self.wo[l].data.add_(o.T * .4)

    def forward(self, pre, pre_pos, seg, groups, P0):
        """Prefix (system prompt and visual tokens) shared by segments that see the prefix and themselves.

        pre: B,P,d embeddings at positions pre_pos (B,P); seg: B,T2,d, made of groups of K segments of L tokens,
        each at positions P0, P0+1, ...  Returns the final hidden states of the segments (B,T2,d, bf16).
        """
        c = self.c
        H, d = c['heads'], c['dim']
        hd = d // H
        B, P, _ = pre.shape
        T2 = seg.shape[1]
        dev = pre.device
        sp = torch.cat([torch.arange(L, device=dev).repeat(K) for K, L in groups]) + P0
        cs = rope_tables(torch.cat([pre_pos, sp.expand(B, T2)], 1), hd, c['theta'])
        neg = lambda n: torch.full((n, n), -30000., device=dev).triu(1).to(BF)
        mp = neg(P)
        ms = [neg(L) for _, L in groups]
        x = torch.cat([pre, seg], 1)
        T = P + T2
        sc = hd ** -.5
        for l in range(c['layers']):
            last = l == c['layers'] - 1
            h = rms(x, self.n1[l], c['eps'])
            qkv = lin(h, torch.cat([self.wq[l] * sc, self.wk[l], self.wv[l]]))
            qp, kp, vp, qs, ks, vs = split_qkv(qkv, cs, H, P)
            outs = []
            if not last:
                s = torch.baddbmm(mp, qp, kp.transpose(1, 2))
                outs.append(torch.bmm(torch.softmax(s, -1), vp))
            sizes = [K * L for K, L in groups]
            for (K, L), m, q, k, v in zip(groups, ms, qs.split(sizes, 1), ks.split(sizes, 1), vs.split(sizes, 1)):
                r = lambda y: y.reshape(B * H * K, L, hd)
                s1 = torch.bmm(q, kp.transpose(1, 2))
                s2 = torch.baddbmm(m, r(q), r(k).transpose(1, 2)).view(B * H, K * L, L)
                p1, p2 = torch.softmax(torch.cat([s1, s2], -1), -1).split([P, L], -1)
                y = torch.bmm(p1, vp)
                outs.append(y + torch.bmm(p2.reshape(B * H * K, L, L), r(v)).view(B * H, K * L, hd))
            y = merge(torch.cat(outs, 1) if len(outs) > 1 else outs[0], H)
            if last:
                x = x.split([P, T2], 1)[1]
            x = add(x, lin(y, self.wo[l]))
            h = rms(x, self.n2[l], c['eps'])
            x = add(x, lin(swiglu(lin(h, torch.cat([self.wg[l], self.wu[l]]))), self.wd[l]))
        return rms(x, self.nf, c['eps'])


def build(dev='cpu'):
    return nn.ModuleDict(dict(vit=ViT(), proj=Projector(), llm=LLM())).to(dev)


# ------------------------------------------------------------------ optimiser

def _ns(G, steps=4):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.to(BF)
    tr = X.shape[-2] > X.shape[-1]
    if tr:
        X = X.transpose(-1, -2)
    X = X / (X.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).to(BF)
    X = X.contiguous()
    for _ in range(steps):
        Am = X @ X.transpose(-1, -2)
        X = a * X + (b * Am + c * (Am @ Am)) @ X
    return (X.transpose(-1, -2) if tr else X).float()


class Opt:
    """Muon for the hidden matrices, Adam for everything else."""

    def __init__(self, named, muon_lr=.02, adam_lr=2e-3, wd=.1):
        self.lr = (muon_lr, adam_lr)
        self.wd = wd
        groups, self.adam = {}, []
        for n, p in named:
            if '.bk.' in '.' + n:      # a key bias does not change the softmax
                p.requires_grad_(False)
                p.data.zero_()
                continue
            last = n.split('.')[-2] if n.split('.')[-1].isdigit() else n.split('.')[-1]
            if p.ndim == 2 and last in ('wq', 'wk', 'wv', 'wo', 'w1', 'w2', 'wg', 'wu', 'wd'):
                groups.setdefault(tuple(p.shape), []).append(p)
            else:
                self.adam.append(p)
        self.muon = list(groups.values())
        self.m = [torch.zeros((len(g),) + g[0].shape, device=g[0].device) for g in self.muon]
        self.a1 = [torch.zeros_like(p) for p in self.adam]
        self.a2 = [torch.zeros_like(p) for p in self.adam]
        self.t = 0

    def step(self, f=1.):
        bad = [p for g in self.muon + [self.adam] for p in g if p.grad is not None and not torch.isfinite(p.grad.sum())]
        if bad:                 # a step with a broken gradient is left out
            for g in self.muon + [self.adam]:
                for p in g:
                    p.grad = None
            return False
        self.t += 1
        with torch.no_grad():
            for g, m in zip(self.muon, self.m):
                G = torch.stack([p.grad if p.grad is not None else torch.zeros_like(p) for p in g])
                m.mul_(.95).add_(G, alpha=.05)
                U = _ns(G * .05 + m * .95)
                lr = self.lr[0] * f
                sc = lr * max(1, g[0].shape[0] / g[0].shape[1]) ** .5
                for p, u in zip(g, U):
                    if self.wd:
                        p.mul_(1 - lr * self.wd)
                    p.add_(u, alpha=-sc)
            b1, b2 = .9, .97
            c1, c2 = 1 - b1 ** self.t, 1 - b2 ** self.t
            lr = self.lr[1] * f
            for p, a, b in zip(self.adam, self.a1, self.a2):
                if p.grad is None:
                    continue
                a.mul_(b1).add_(p.grad, alpha=1 - b1)
                b.mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
                p.addcdiv_(a, (b / c2).sqrt_().add_(1e-8), value=-lr / c1)
        for g in self.muon:
            for p in g:
                p.grad = None
        for p in self.adam:
            p.grad = None

    def state(self):
        return dict(m=self.m, a1=self.a1, a2=self.a2, t=self.t)

    def load(self, s):
        for k in ('m', 'a1', 'a2'):
            for x, y in zip(getattr(self, k), s[k]):
                x.copy_(y)
        self.t = s['t']
