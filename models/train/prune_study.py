"""Accuracy with fewer visual tokens: none, random, FastV-like and SparseVLM pruning at matched average counts.

The average is over decoder layers of the visual tokens each layer works on (after layer l's pruning the next
layers see fewer).  Nothing is trained for pruning.
"""
import argparse
import json
import numpy as np
import torch
import torch.nn.functional as F
from model import CFG, build
from data import *
from train_vlm import scenes_for_val, VAL_SEED


def rope1(x, pos, theta):
    hd = x.shape[-1]
    f = theta ** (-torch.arange(0, hd, 2).float() / hd)
    a = pos.float()[:, None] * f
    c, s = a.cos(), a.sin()
    u, v = x.chunk(2, -1)
    return torch.cat([u * c - v * s, v * c + u * s], -1)


def cluster_merge(x, k):
    """Density-peak clustering of dropped tokens into k means."""
    d = torch.cdist(x[None], x[None])[0] / x.shape[1] ** .5
    near = d.topk(k, largest=False)[0]
    dens = (-(near ** 2).mean(-1)).exp() + torch.rand(len(x)) * 1e-6
    higher = dens[None, :] > dens[:, None]
    dist = torch.where(higher, d, d.max()).min(-1)[0]
    cen = (dist * dens).topk(k)[1]
    asg = d[cen].argmin(0)
    asg[cen] = torch.arange(k)
    out = torch.zeros(k, x.shape[1]).index_add_(0, asg, x)
    return out / torch.zeros(k).index_add_(0, asg, torch.ones(len(x)))[:, None]


@torch.no_grad()
def answer_ok(m, c, pre_ids, vis, q_ids, a_ids, method, sched, gen, recycle=True, compact=False):
    """True when every answer token is the argmax.  sched: {layer: visual tokens kept after it}."""
    L = m.llm
    H, d = c['heads'], c['dim']
    hd = d // H
    n0, V, nq, na = len(pre_ids), len(vis), len(q_ids), len(a_ids) - 1
    x = torch.cat([L.emb[pre_ids], vis, L.emb[q_ids], L.emb[a_ids[:-1]]])
    pos = torch.arange(len(x))
    nv, used = V, 0
    rater = None
    if method == 'sparsevlm':
        p = (vis @ L.emb[q_ids].T).softmax(1).mean(0)
        rater = torch.nonzero(p > p.mean())[:, 0]
        if len(rater) == 0:
            rater = torch.arange(nq)
    for l in range(c['layers']):
        used += nv
        n = len(x)
        h = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + c['eps']) * L.n1[l]
        sh = lambda w: (h @ w.T).view(n, H, hd).transpose(0, 1)
        q, k, v = rope1(sh(L.wq[l]), pos, c['theta']), rope1(sh(L.wk[l]), pos, c['theta']), sh(L.wv[l])
        s = q @ k.transpose(1, 2) * hd ** -.5 + torch.full((n, n), -1e30).triu(1)
        P = s.softmax(-1)
        x = x + (P @ v).transpose(0, 1).reshape(n, d) @ L.wo[l].T
        h = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + c['eps']) * L.n2[l]
        x = x + (F.silu(h @ L.wg[l].T) * (h @ L.wu[l].T)) @ L.wd[l].T
        if method != 'none' and l in sched:
            keep = min(sched[l], nv - 1)
            t0 = n0 + nv
            if method == 'random':
                sc = torch.rand(nv, generator=gen)
            elif method == 'fastv':
                sc = P.mean(0)[t0 + nq - 1, n0:t0]
            else:
                sc = P.mean(0)[t0 + rater, n0:t0].mean(0)
            ki = torch.sort(sc.topk(keep)[1])[0]
            xv, pv = x[n0:t0], pos[n0:t0]
            new, newp = xv[ki], pv[ki]
            if method == 'sparsevlm' and recycle:
                mask = torch.ones(nv, dtype=torch.bool)
                mask[ki] = False
                di = torch.nonzero(mask)[:, 0]
                mi = di[sc[di].topk(int(len(di) * .3) + 1)[1]]
                kc = int(len(mi) / 10) + 1
                new = torch.cat([new, cluster_merge(xv[mi], kc)])
                newp = torch.cat([newp, pv[-1].expand(kc)])
            x = torch.cat([x[:n0], new, x[t0:]])
            pos = torch.cat([pos[:n0], newp, pos[t0:]])
            nv = len(new)
            if compact:
                pos = torch.arange(len(x))
    h = x[-(na + 1):]
    h = h * torch.rsqrt((h * h).mean(-1, keepdim=True) + c['eps']) * L.nf
    return bool(((h @ L.head.T).argmax(-1) == a_ids).all()), used / c['layers']


def val_questions(m, nimg, per, seed=VAL_SEED + 5000):
    for sc, rng in scenes_for_val(nimg, seed):
        with torch.no_grad():
            vis = m.proj(m.vit(torch.from_numpy(patches(render(sc)))[None]))[0]
        for f, q, a in make_qa(sc, rng, per):
            qi = question_ids(q)
            full = sp().encode(f'\n{q} ASSISTANT: {a}') + [2]
            yield f, torch.tensor(qi), torch.tensor(full[len(qi):]), vis


if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('ckpt')
    ap.add_argument('--images', type=int, default=80)
    ap.add_argument('--per', type=int, default=5)
    ap.add_argument('--threads', type=int, default=1)
    ap.add_argument('--layers', default='0,1,3', help='prune after these layers')
    ap.add_argument('--out')
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    m = build().float()
    m.load_state_dict(torch.load(a.ckpt, map_location='cpu')['m'])
    c = CFG
    lay = [int(v) for v in a.layers.split(',')]
    pre = torch.tensor(prompt_ids(0))
    Q = list(val_questions(m, a.images, a.per))
    nl = c['layers']

    def const(l, avg):      # one cut after layer l that gives this average
        return {l: max(1, round((avg * nl - 576 * (l + 1)) / (nl - l - 1)))}

    def prog(ns):
        return dict(zip(lay, ns))
    presets = {'192': [300, 200, 110], '128': [303, 110, 36], '64': [66, 30, 17]}
    runs = [('none', 'none', {}, {})]
    avgs = {}
    for p, ns in presets.items():
        runs.append((f'sparsevlm {p}', 'sparsevlm', prog(ns), {}))
        runs.append((f'sparsevlm-norecycle {p}', 'sparsevlm', prog(ns), dict(recycle=False)))
        runs.append((f'random-progressive {p}', 'random', prog(ns), {}))
        runs.append((f'random {p}', 'random', p, {}))
        runs.append((f'fastv {p}', 'fastv', p, {}))
    res = {}
    for name, meth, sched, kw in runs:
        if isinstance(sched, str):
            sched = const(0, avgs[sched])
        gen = torch.Generator().manual_seed(1)
        ok, tok, fam = [], [], {}
        for f, q, ai, vis in Q:
            o, t = answer_ok(m, c, pre, vis, q, ai, meth, sched, gen, **kw)
            ok.append(o)
            tok.append(t)
            fam.setdefault(f, []).append(o)
        res[name] = dict(acc=float(np.mean(ok)), tokens=float(np.mean(tok)), sched={str(k): v for k, v in sched.items()},
                         fam={f: float(np.mean(v)) for f, v in sorted(fam.items())})
        if name.startswith('sparsevlm '):
            avgs[name.split()[1]] = float(np.mean(tok))
        print(f"{name:28s} acc {res[name]['acc']:.3f} avg visual tokens {res[name]['tokens']:.0f} " +
              ' '.join(f'{f}:{v:.2f}' for f, v in res[name]['fam'].items()), flush=True)
        if a.out:
            json.dump(res, open(a.out, 'w'), indent=1)
