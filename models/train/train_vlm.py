"""Stage 3: join the vision tower and the decoder.

--mode align: the projector learns to turn patch features into the symbolic embeddings of stage 2.
--mode tune:  projector and decoder learn from questions on real features (vision tower frozen, as in LLaVA,
              or trained too with --joint), with N of the 576 visual tokens (all of them at the end).
"""
import argparse
import os
import time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from model import Opt, CFG, lin, BF, build
from data import *
from train_sym import Sym, scene_labels, subset

VAL_SEED = 10_000_019


def scenes_for_val(n, seed=VAL_SEED):
    out = []
    for i in range(n):
        rng = np.random.default_rng(seed + i)
        sc = make_scene(rng)
        out.append((sc, rng))
    return out


@torch.no_grad()
def evaluate(m, n=48, K=8, dev='cpu', seed=VAL_SEED):
    """Exact match of whole answers (greedy decoding is right exactly when every next-token choice is)."""
    from collections import defaultdict
    fam = defaultdict(list)
    PR = torch.tensor(prompt_ids(0), device=dev)
    n0 = len(PR)
    B = 8
    for b in range(0, n, B):
        px, xs, ys, fs = [], [], [], []
        for sc, rng in scenes_for_val(B, seed + b):
            x, y, f = [], [], []
            while len(x) < K:
                q = make_qa(sc, rng, 1)[0]
                s = segment(q[1], q[2], LS)
                if s:
                    x.append(s[0]); y.append(s[1]); f.append(q[0])
            q, a = q_caption(sc, rng)
            s = segment(q, a, LC)
            x.append(s[0]); y.append(s[1]); f.append('caption')
            px.append(patches(render(sc))); xs.append(np.concatenate(x)); ys.append(np.concatenate(y)); fs.append(f)
        T = lambda v: torch.from_numpy(np.stack(v)).to(dev)
        x, y = T(xs), T(ys)
        v = m.proj(m.vit(T(px)))
        pre = torch.cat([m.llm.emb[PR].expand(B, n0, -1), v], 1)
        pos = torch.arange(n0 + G * G, device=dev).expand(B, n0 + G * G)
        h = m.llm(pre, pos, m.llm.emb[x], [(K, LS), (1, LC)], n0 + G * G)
        ok = torch.ones(y.shape, dtype=torch.bool, device=dev)
        ok[y >= 0] = lin(h[y >= 0], m.llm.head).argmax(-1) == y[y >= 0]
        for i in range(B):
            for j in range(K):
                fam[fs[i][j]].append(ok[i, j * LS:(j + 1) * LS].all().item())
            fam['caption'].append(ok[i, K * LS:].all().item())
    short = [v for f, l in fam.items() if f != 'caption' for v in l]
    r = {f: float(np.mean(l)) for f, l in sorted(fam.items())}
    r['all'] = float(np.mean(short))
    return r


if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('--mode', choices=['align', 'tune'], required=True)
    ap.add_argument('--out', required=True)
    ap.add_argument('--init')
    ap.add_argument('--vit')
    ap.add_argument('--sym')
    ap.add_argument('--keep-llm', action='store_true', help='take the decoder from --init, only the symbolic embeddings from --sym')
    ap.add_argument('--minutes', type=float, default=20)
    ap.add_argument('--batch', type=int, default=8)
    ap.add_argument('--K', type=int, default=10)
    ap.add_argument('--N', type=int, default=576)
    ap.add_argument('--per', type=int, default=12)
    ap.add_argument('--fresh', type=int, default=3, help='new pictures per step (the others come from a buffer)')
    ap.add_argument('--buffer', type=int, default=48)
    ap.add_argument('--joint', action='store_true')
    ap.add_argument('--threads', type=int, default=1)
    ap.add_argument('--workers', type=int, default=0)
    ap.add_argument('--lr', type=float, default=.5)
    ap.add_argument('--hold', type=float, default=.5)
    ap.add_argument('--warm', type=int, default=40)
    ap.add_argument('--seed', type=int, default=900)
    ap.add_argument('--eval', type=int, default=0, help='evaluate every so many seconds')
    ap.add_argument('--boost', default='', help='family=weight,... to sample hard families more often')
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    dev = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(a.seed)
    m = build(dev)
    sym = Sym().to(dev)
    if a.init:
        m.load_state_dict(torch.load(a.init, map_location=dev)['m'])
    if a.vit:
        s = torch.load(a.vit, map_location=dev)['m']
        m.vit.load_state_dict({k[4:]: v for k, v in s.items() if k.startswith('vit.')})
    if a.sym:
        s = torch.load(a.sym, map_location=dev)['m']
        if not a.keep_llm:
            m.llm.load_state_dict({k[4:]: v for k, v in s.items() if k.startswith('llm.')})
        sym.load_state_dict({k[4:]: v for k, v in s.items() if k.startswith('sym.')})
    if a.mode == 'align':
        params = [('proj.' + n, p) for n, p in m.proj.named_parameters()]
    else:
        params = [(n, p) for n, p in m.named_parameters() if a.joint or not n.startswith('vit.')]
    opt = Opt(params, .02 * a.lr, 3e-3 * a.lr)
    used, step = 0., 0
    if os.path.exists(a.out):
        s = torch.load(a.out, map_location=dev)
        m.load_state_dict(s['m'])
        if not s.get('done'):
            opt.load(s['opt'])
            used, step = s['used'], s['step']
    if not a.joint:
        for p in m.vit.parameters():
            p.requires_grad_(False)
    w = family_weights(a.boost)
    rng = np.random.default_rng(a.seed + step)
    ema, times, saved, evald = {}, [], used, used
    PR = [torch.tensor(prompt_ids(s), device=dev) for s in (0, 1)]
    buf = []
    T = lambda v: torch.from_numpy(np.stack(v)).to(dev)

    def save(done=False):
        torch.save(dict(m=m.state_dict(), opt=opt.state(), used=used, step=step, done=done, cfg=CFG), a.out + '.tmp')
        os.replace(a.out + '.tmp', a.out)

    def draw(rng, n):
        scs = [make_scene(rng) for _ in range(n)]
        return scs, torch.from_numpy(np.stack([patches(render(s)) for s in scs]))

    def questions(rng, scs, cap):
        xs, ys = zip(*[pack(s, rng, a.K, cap, w) for s in scs])
        sl = [scene_labels(s) for s in scs]
        idx = [subset(rng, own, cen, a.N, a.per) if a.N < G * G else np.arange(G * G) for _, own, cen in sl]
        return [torch.from_numpy(np.stack(v)) for v in (xs, ys, idx, [l for l, _, _ in sl])]

    def make(rng):          # a whole batch of new pictures
        cap = rng.random() < .5
        scs, px = draw(rng, a.batch)
        return [cap, px] + questions(rng, scs, cap)

    direct = a.mode == 'align' or a.joint or a.workers > 0
    src = stream(make, a.seed + step, a.workers) if direct else None

    def look(px):
        with torch.set_grad_enabled(a.joint and a.mode == 'tune'):
            return m.vit(px.to(dev))

    if a.mode == 'align' and step == 0:
        # start from the least-squares linear map, put where GELU is close to linear
        Fs, Ts = [], []
        with torch.no_grad():
            for _ in range(max(1, 48 // a.batch)):
                cap, px, x, y, idx, lab = next(src)
                f = m.vit(px.to(dev)).reshape(-1, CFG['v_dim'])
                t = sym(m.llm.emb, lab.to(dev)).reshape(-1, CFG['dim'])
                o = lab.reshape(-1, lab.shape[-1])[:, 0] != 9
                k = torch.cat([torch.nonzero(o)[:, 0], torch.nonzero(~o)[:, 0][::6]]).to(dev)
                Fs.append(f[k])
                Ts.append(t[k])
            f, t = torch.cat(Fs).double(), torch.cat(Ts).double()
            f1 = torch.cat([f, torch.ones_like(f[:, :1])], 1)
            W = torch.linalg.solve(f1.T @ f1 + 1e-3 * len(f1) * torch.eye(f1.shape[1], device=dev), f1.T @ t)
            e = f1 @ W - t
            print('least squares: relative error', ((e ** 2).mean() / (t ** 2).mean()).item(), flush=True)
            sg = (f1 @ W).std(0).mean().item() * 2.5
            m.proj.w1.copy_((W[:-1] / sg).T)
            m.proj.b1.copy_(W[-1] / sg + 2)
            m.proj.w2.copy_(torch.eye(CFG['dim']) * sg)
            m.proj.b2.fill_(-2 * sg)
    while used < a.minutes * 60:
        t0 = time.time()
        fr = used / (a.minutes * 60)
        f = min(1, (step + 1) / a.warm) * (1 if fr < a.hold else max(.02, (1 - fr) / (1 - a.hold)))
        if direct:
            cap, px, x, y, idx, lab = next(src)
            feats = look(px)
        else:               # most pictures come again with new questions, so the vision tower runs on few
            cap = step % 2 == 0
            n = a.fresh if buf else a.buffer
            new = []
            while n > 0:
                scs, px = draw(rng, min(8, n))
                new += list(zip(scs, look(px).to(BF)))
                n -= 8
            buf = (new + buf)[:a.buffer]
            sel = list(range(a.fresh)) + list(a.fresh + rng.permutation(len(buf) - a.fresh)[:a.batch - a.fresh])
            x, y, idx, lab = questions(rng, [buf[i][0] for i in sel], cap)
            feats = torch.stack([buf[i][1] for i in sel])
        x, y, idx, lab = (v.to(dev) for v in (x, y, idx, lab))
        K, B = a.K, len(x)
        if a.mode == 'align':
            with torch.no_grad():
                tgt = sym(m.llm.emb, lab)
            out = m.proj(feats)
            e = ((out - tgt) ** 2).mean(-1)
            obj = lab[..., 0] != 9
            loss = e[obj].mean() + e[~obj].mean()
            st = dict(loss=loss.item(), rel=(e[obj].mean() / (tgt[obj] ** 2).mean()).item(), relbg=(e[~obj].mean() / (tgt[~obj] ** 2).mean()).item())
        else:
            if a.N < G * G:
                feats = torch.gather(feats, 1, idx[..., None].expand(-1, -1, feats.shape[-1]))
            pr = PR[int(rng.random() < .3)]
            n0 = len(pr)
            pre = torch.cat([m.llm.emb[pr].expand(B, n0, -1), m.proj(feats)], 1)
            pos = torch.cat([torch.arange(n0, device=dev).expand(B, n0), n0 + idx], 1)
            h = m.llm(pre, pos, m.llm.emb[x], [(K, LS), (1, LC)][:1 + cap], n0 + G * G)
            z = lin(h[y >= 0], m.llm.head).float()
            t = y[y >= 0]
            ce = F.cross_entropy(z, t, reduction='none')
            wt = torch.ones_like(y, dtype=torch.float32)
            wt[:, K * LS:] = .5
            wt = wt[y >= 0]
            loss = (ce * wt).sum() / wt.sum()
            ok = torch.ones(y.shape, dtype=torch.bool, device=dev)
            ok[y >= 0] = z.argmax(-1) == t
            st = dict(loss=loss.item(), qa=ok[:, :K * LS].view(B, K, LS).all(-1).float().mean().item())
            if cap:
                c = y[:, K * LS:] >= 0
                st['cap'] = ok[:, K * LS:][c].float().mean().item()
        loss.backward()
        opt.step(f)
        for k, v in st.items():
            ema[k] = .96 * ema.get(k, v) + .04 * v
        step += 1
        dt = time.time() - t0
        times = (times + [dt])[-50:]
        used += min(dt, 3 * float(np.median(times)))
        if step % 20 == 0:
            print(f'{step} {used:.0f}s lr {f:.2f} ' + ' '.join(f'{k} {v:.3f}' for k, v in ema.items()), flush=True)
        if a.mode == 'tune' and a.eval and used - evald > a.eval:
            evald = used
            print('val', ' '.join(f'{k} {v:.2f}' for k, v in evaluate(m, dev=dev).items()), flush=True)
        if used - saved > 60:
            saved = used
            save()
    save(True)
    if a.mode == 'tune':
        print('val', ' '.join(f'{k} {v:.3f}' for k, v in evaluate(m, 96, dev=dev).items()), flush=True)
