"""The same model as model.py, arranged for a GPU: one compiled function per kind of block, no host synchronisation."""
import torch
import torch.nn.functional as F
from model import CFG, BF, _ns, rope_tables

sdpa = getattr(F, 'scaled_dot_product_attention', None)
if sdpa is None:            # old torch: only to try things out
    def sdpa(q, k, v, is_causal=False):
        s = q @ k.transpose(-1, -2) * q.shape[-1] ** -.5
        if is_causal:
            s = s + torch.full(s.shape[-2:], -30000.).triu(1).to(s.dtype)
        return torch.softmax(s, -1) @ v


def _l(x, w, b=None):
    return F.linear(x, w.to(BF), None if b is None else b.to(BF))


def vit_block(x, n1w, n1b, wq, wk, wv, bq, bk, bv, wo, bo, n2w, n2b, w1, b1, w2, b2):
    B, T, d = x.shape
    H = CFG['v_heads']
    h = F.layer_norm(x, (d,), n1w, n1b, CFG['v_eps']).to(BF)
    q, k, v = _l(h, torch.cat([wq, wk, wv]), torch.cat([bq, bk, bv])).view(B, T, 3, H, d // H).permute(2, 0, 3, 1, 4).unbind(0)
    o = sdpa(q, k, v).transpose(1, 2).reshape(B, T, d)
    x = x + _l(o, wo, bo).float()
    h = F.layer_norm(x, (d,), n2w, n2b, CFG['v_eps']).to(BF)
    a = _l(h, w1, b1)
    return x + _l(a * torch.sigmoid(1.702 * a), w2, b2).float()


def _rms(x, w):
    return (x * torch.rsqrt((x * x).mean(-1, keepdim=True) + CFG['eps']) * w).to(BF)


def llm_block(x, cs, mask, n1, wq, wk, wv, wo, n2, wg, wu, wd, P, KL, see, last):
    """mask: (T2, T) for the segments' rows.  With see: also, for each question token (B,KL), how the attention it pays to
    the last 576 rows of the prefix (mean of the heads) is shared among them (B,KL,576)."""
    B, T, d = x.shape
    H, hd = CFG['heads'], d // CFG['heads']
    h = _rms(x, n1)
    q, k, v = _l(h, torch.cat([wq, wk, wv])).view(B, T, 3, H, hd).permute(2, 0, 3, 1, 4).unbind(0)
    co, si = cs[:, None, :, :hd // 2], cs[:, None, :, hd // 2:]

    def rot(y):
        a, b = y.float().chunk(2, -1)
        return torch.cat([a * co - b * si, b * co + a * si], -1).to(BF)
    q, k = rot(q), rot(k)
    s = (q[:, :, P:] * hd ** -.5) @ k.transpose(-1, -2) + mask
    p = torch.softmax(s.float(), -1)
    o = p.to(BF) @ v
    look = None
    if see:
        look = p[:, :, :KL, P - 576:P].mean(1)
        look = look / (look.sum(-1, keepdim=True) + 1e-9)
    if last:
        x = x[:, P:]
    else:
        o = torch.cat([sdpa(q[:, :, :P], k[:, :, :P], v[:, :, :P], is_causal=True), o], 2)
    x = x + _l(o.transpose(1, 2).reshape(x.shape[0], x.shape[1], d), wo).float()
    g, u = _l(_rms(x, n2), torch.cat([wg, wu])).chunk(2, -1)
    x = x + _l(F.silu(g) * u, wd).float()
    return x, look


class Fast:
    def __init__(self, compile=True):
        self.eager = (vit_block, llm_block)
        c = lambda f: f
        if compile:
            import torch._dynamo
            for n in ('cache_size_limit', 'recompile_limit'):
                if hasattr(torch._dynamo.config, n):
                    setattr(torch._dynamo.config, n, 64)
            c = lambda f: torch.compile(f, dynamic=False)
        self.vb, self.lb = c(vit_block), c(llm_block)

    def vit(self, m, px, eager=False):
        """px: B,576,588 normalised -> B,576,d"""
        blk = self.eager[0] if eager else self.vb
        x = _l(px.to(BF), m.patch).float() + m.pos[1:]
        x = torch.cat([(m.cls + m.pos[0]).expand(x.shape[0], 1, -1), x], 1)
        x = F.layer_norm(x, (x.shape[-1],), m.pre_w, m.pre_b, CFG['v_eps'])
        for l in range(CFG['v_layers']):
            x = blk(x, m.n1w[l], m.n1b[l], m.wq[l], m.wk[l], m.wv[l], m.bq[l], m.bk[l], m.bv[l], m.wo[l], m.bo[l],
                        m.n2w[l], m.n2b[l], m.w1[l], m.b1[l], m.w2[l], m.b2[l])
        return x[:, 1:]

    def llm(self, m, pre, seg, groups, see=(), eager=False):
        """As LLM.forward with the prefix at positions 0, 1, ...; also a list of what the layers of `see` look at."""
        blk = self.eager[1] if eager else self.lb
        dev, P, T2 = pre.device, pre.shape[1], seg.shape[1]
        key = (P, groups)
        if getattr(self, 'key', None) != key:
            sp = torch.cat([torch.arange(L, device=dev).repeat(K) for K, L in groups]) + P
            cs = rope_tables(torch.cat([torch.arange(P, device=dev), sp])[None], CFG['dim'] // CFG['heads'], CFG['theta'])
            i = torch.cat([torch.arange(K, device=dev).repeat_interleave(L) + 1000 * n for n, (K, L) in enumerate(groups)])
            ok = (i[:, None] == i[None]) & (sp[:, None] >= sp[None])
            mask = torch.cat([torch.zeros(T2, P, device=dev), torch.where(ok, 0., -30000.)], 1).to(BF)
            self.key, self.tab = key, (cs, mask)
        cs, mask = self.tab
        x = torch.cat([pre, seg], 1)
        looks = []
        K, L = groups[0]
        n = CFG['layers']
        for l in range(n):
            x, look = blk(x, cs, mask, m.n1[l], m.wq[l], m.wk[l], m.wv[l], m.wo[l], m.n2[l], m.wg[l], m.wu[l], m.wd[l],
                          P, K * L, l in see, l == n - 1)
            if l in see:
                looks.append(look)
        return _rms(x, m.nf), looks


class FastOpt:
    """model.Opt without host synchronisation: Muon on stacked matrices, Adam on one flat vector."""

    def __init__(self, named, muon_lr=.02, adam_lr=2e-3, wd=.1, scale=lambda n: 1.):
        self.lr, self.wd = (muon_lr, adam_lr), wd
        groups, self.adam, asc = {}, [], []
        for n, p in named:
            if '.bk.' in '.' + n:
                p.requires_grad_(False)
                p.data.zero_()
                continue
            last = n.split('.')[-2] if n.split('.')[-1].isdigit() else n.split('.')[-1]
            if p.ndim == 2 and last in ('wq', 'wk', 'wv', 'wo', 'w1', 'w2', 'wg', 'wu', 'wd'):
                groups.setdefault((tuple(p.shape), scale(n)), []).append(p)
            else:
                self.adam.append(p)
                asc.append(scale(n))
        dev = self.adam[0].device
        self.muon = [(g, s) for (_, s), g in groups.items()]
        self.m = [torch.zeros((len(g),) + g[0].shape, device=dev) for g, _ in self.muon]
        n = sum(p.numel() for p in self.adam)
        self.a1, self.a2 = torch.zeros(n, device=dev), torch.zeros(n, device=dev)
        self.asc = torch.cat([torch.full((p.numel(),), s, device=dev) for p, s in zip(self.adam, asc)])
        self.t = 0
        self.bad = torch.zeros((), device=dev)

    def step(self, f=1.):
        self.t += 1
        gr = lambda p: p.grad if p.grad is not None else torch.zeros_like(p)
        with torch.no_grad():
            Gs = [torch.stack([gr(p) for p in g]) for g, _ in self.muon]
            ga = torch.cat([gr(p).reshape(-1) for p in self.adam])
            ok = torch.isfinite(torch.stack([v.sum() for v in Gs] + [ga.sum()]).sum())
            self.bad += ~ok
            zero = torch.zeros((), device=ga.device)
            for (g, s), m, G in zip(self.muon, self.m, Gs):
                G = torch.where(ok, G, zero)
                m.mul_(.95).add_(G, alpha=.05)
                U = _ns(G * .05 + m * .95)
                lr = self.lr[0] * f * s
                if self.wd:
                    torch._foreach_mul_(g, 1 - lr * self.wd)
                torch._foreach_add_(g, list(U.unbind(0)), alpha=-lr * max(1, g[0].shape[0] / g[0].shape[1]) ** .5)
            ga = torch.where(ok, ga, zero)
            b1, b2 = .9, .97
            self.a1.mul_(b1).add_(ga, alpha=1 - b1)
            self.a2.mul_(b2).addcmul_(ga, ga, value=1 - b2)
            u = self.a1 / ((self.a2 / (1 - b2 ** self.t)).sqrt() + 1e-8) * self.asc
            u = [v.view_as(p) for v, p in zip(u.split([p.numel() for p in self.adam]), self.adam)]
            torch._foreach_add_(self.adam, u, alpha=-self.lr[1] * f / (1 - b1 ** self.t))
        for g, _ in self.muon:
            for p in g:
                p.grad = None
        for p in self.adam:
            p.grad = None

    def state(self):
        return dict(m=self.m, a1=self.a1, a2=self.a2, t=self.t)

    def load(self, s):
        for x, y in zip(self.m, s['m']):
            x.copy_(y)
        self.a1.copy_(s['a1'])
        self.a2.copy_(s['a2'])
        self.t = s['t']
