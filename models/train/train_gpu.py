"""Tower and decoder further on a GPU, pictures drawn by processes beside it.

--stage tower: the vision tower with dense labels on whole pictures.
--stage joint: tower, projector and decoder together: answers (and captions) from all 576 visual tokens, the dense labels
               as before, and a weak loss that asks the attention of question tokens in early decoder layers to lie on
               the objects the question is about.  No visual token is dropped.
"""
import argparse
import os
import time

if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('--stage', choices=['tower', 'joint'], required=True)
    ap.add_argument('--out', required=True, help='folder for checkpoints')
    ap.add_argument('--vlm', help='checkpoint with vit, proj, llm')
    ap.add_argument('--vit', help='checkpoint of train_vit.py (tower and label head), taken over the tower of --vlm')
    ap.add_argument('--sym', help='checkpoint of train_sym.py: align the projector first, with its symbolic embeddings')
    ap.add_argument('--seconds', type=float, default=120)
    ap.add_argument('--until', type=float, help='instead of --seconds: when to stop, in seconds since 1970')
    ap.add_argument('--workers', type=int, default=14)
    ap.add_argument('--batch', type=int, default=256)
    ap.add_argument('--pool', type=int, default=40960, help='pictures kept on the GPU')
    ap.add_argument('--start', type=int, default=4096, help='pictures to wait for')
    ap.add_argument('--lr', type=float, default=.45)
    ap.add_argument('--vit-scale', type=float, default=.5, help='learning rate of the tower over that of the rest (joint)')
    ap.add_argument('--hold', type=float, default=.5)
    ap.add_argument('--floor', type=float, default=.02)
    ap.add_argument('--rich', type=float, default=.5, help='share of rich scenes')
    ap.add_argument('--rich-end', type=float, help='the same in the last 40 percent')
    ap.add_argument('--boost', default='')
    ap.add_argument('--w-label', type=float, default=.2)
    ap.add_argument('--w-cap', type=float, default=.4)
    ap.add_argument('--w-look', type=float, default=.02)
    ap.add_argument('--see', default='0,1,2,3', help='decoder layers whose attention is asked to lie on the objects')
    ap.add_argument('--short', type=float, default=.1, help='share of steps without the system prompt')
    ap.add_argument('--align', type=int, default=150, help='steps for the projector alone (with --sym)')
    ap.add_argument('--eager', action='store_true')
    ap.add_argument('--check', action='store_true', help='compare with model.py and time a few joint steps first')
    ap.add_argument('--eval', type=float, default=0, help='evaluate every so many seconds')
    ap.add_argument('--pack', help='evaluation pack to run at the end')
    ap.add_argument('--seed', type=int, default=31)
    a = ap.parse_args()
    from gen import Source, K, T as TQ, FIELDS, C
    src = Source(a.workers, a.seed, slots=8 if a.workers < 3 else 128, rich=a.rich, boost=a.boost)

import json
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from model import CFG, BF, build, lin
from data import *
from fast import Fast, FastOpt, _l
from train_sym import Sym
from train_vit import HEADS, NOUT


def label_loss(z, lab, acc=False):
    """train_vit.losses without host synchronisation."""
    obj = (lab[..., 0] != 9).reshape(-1)
    no = obj.sum().clamp(min=1)
    res, st, o = 0., {}, 0
    for i, (n, k) in enumerate(HEADS):
        zz, t = z[..., o:o + k].reshape(-1, k), lab[..., i].reshape(-1)
        o += k
        ce = F.cross_entropy(zz, t, reduction='none')
        if n == 'kind':
            l = (ce * torch.where(obj, 1., .15)).sum() / no
        elif n == 'bg':
            l = ce.sum() * .05 / no
        elif n in ('char', 'cen'):
            w = obj * (torch.where(t > 0, 2.5, .5) if n == 'char' else torch.where(t > 0, 5., 1.))
            l = (ce * w).sum() / w.sum()
        else:
            l = (ce * obj).sum() / no * .5
        res = res + l
        if acc:
            ok = zz.argmax(-1) == t
            use = obj & (t > 0) if n in ('char', 'cen') else obj if n != 'bg' else torch.ones_like(obj)
            st[n] = ok[use].float().mean().item()
    return res, st


class Pool:
    """Pictures on the GPU, renewed as the processes draw."""

    def __init__(self, src, n, dev):
        self.src, self.n, self.dev = src, n // C * C, dev
        self.d = {f: torch.empty((self.n,) + s, dtype=getattr(torch, np.dtype(t).name), device=dev) for f, s, t in FIELDS}
        self.pos = self.have = self.seen = 0
        self.wait = []
        self.host = [{f: torch.from_numpy(v) for f, v in s.items()} for s in src.slots]
        self.pinned = False
        if dev == 'cuda':
            try:
                whole = np.frombuffer(src.mem, np.uint8)
                r = torch.cuda.cudart().cudaHostRegister(whole.ctypes.data, whole.nbytes, 0)
                self.pinned = int(r) == 0
            except Exception as e:
                print('not pinned:', e)
            print('pinned', self.pinned, flush=True)

    def fill(self, most=16):
        while self.wait and self.wait[0][0].query():
            self.src.free.put(self.wait.pop(0)[1])
        for _ in range(most):
            k = self.src.ready()
            if k is None:
                return
            for f, v in self.host[k].items():
                self.d[f][self.pos:self.pos + C].copy_(v, non_blocking=self.pinned)
            if self.pinned:
                e = torch.cuda.Event()
                e.record()
                self.wait.append((e, k))
            else:
                self.src.free.put(k)
            self.pos = (self.pos + C) % self.n
            self.have = min(self.n, self.have + C)
            self.seen += C

    def need(self, n):
        while self.have < min(n, self.n):
            self.fill()
            time.sleep(.01)

    def sample(self, B, fields):
        i = torch.randint(0, self.have, (B,), device=self.dev)
        return [self.d[f][i] for f in fields]


if __name__ == '__main__':
    dev = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(a.seed)
    os.makedirs(a.out, exist_ok=True)
    T0 = time.time()
    say = lambda *s: print(f'[{time.time() - T0:.1f}]', *s, flush=True)
    load = lambda p: {k: v.float() if v.is_floating_point() else v for k, v in torch.load(p, map_location=dev)['m'].items()}
    m = build(dev)
    hw, hb = nn.Parameter(torch.randn(NOUT, CFG['v_dim'], device=dev) * .02), nn.Parameter(torch.zeros(NOUT, device=dev))
    if a.vlm:
        m.load_state_dict(load(a.vlm), strict=False)        # a decoder alone will do
    if a.vit:
        s = load(a.vit)
        m.vit.load_state_dict({k[4:]: v for k, v in s.items() if k.startswith('vit.')})
        hw.data.copy_(s['hw'])
        hb.data.copy_(s['hb'])
    pool = Pool(src, a.pool, dev)
    fast = Fast(not a.eager)
    mean = torch.tensor(np.repeat(MEAN, P * P), device=dev)
    istd = torch.tensor(1 / np.repeat(STD, P * P), device=dev)
    PR = [torch.tensor(prompt_ids(s), device=dev) for s in (0, 1)]
    see = tuple(int(v) for v in a.see.split(',')) if a.w_look > 0 and a.see else ()

    def norm(px):
        return ((px.float() * (1 / 255) - mean) * istd).to(BF)

    def head(f):
        return _l(F.layer_norm(f, (f.shape[-1],)).to(BF), hw, hb).float()

    def tower_step(B, acc=False, eager=False):
        px, lab = pool.sample(B, ('px', 'lab'))
        return label_loss(head(fast.vit(m.vit, norm(px), eager)), lab.long(), acc)

    def joint_step(B, acc=False, style=0, eager=False):
        px, lab, own, x, y, about = pool.sample(B, ('px', 'lab', 'own', 'x', 'y', 'about'))
        f = fast.vit(m.vit, norm(px), eager)
        ll, st = label_loss(head(f), lab.long(), acc) if a.w_label > 0 else (0., {})
        pr = PR[style]
        n0 = len(pr) + G * G
        pad = -(n0 + TQ) % 8                            # matrices whose rows are multiples of 16 bytes
        x, y = F.pad(x.long(), (0, pad), value=2), F.pad(y.long(), (0, pad), value=-1)
        pre = torch.cat([m.llm.emb[pr].expand(B, len(pr), -1), m.proj(f)], 1)
        h, looks = fast.llm(m.llm, pre, m.llm.emb[x], ((K, LS), (1, LC + pad)), see, eager or style > 0)
        z = _l(h, m.llm.head).float()
        w = (y >= 0).float()
        w[:, K * LS:] *= a.w_cap
        ce = F.cross_entropy(z.flatten(0, 1), y.flatten(), ignore_index=-1, reduction='none').view_as(w)
        loss = (ce * w).sum() / w.sum()
        tot = loss + a.w_label * ll
        lk = 0.
        if looks:
            rel = ((about.int()[:, :, None] >> own.int().clamp(max=7)[:, None]) & 1).float()        # B,K,576
            q = ((y[:, :K * LS] >= 0).view(B, K, LS).cumsum(-1) <= 1) * (about[..., None] > 0)      # question tokens
            q = q / q.sum()
            for s in looks:
                hit = torch.einsum('bklj,bkj->bkl', s.view(B, K, LS, G * G), rel)
                lk = lk - ((hit + 1e-3).log() * q).sum() / len(looks)
            tot = tot + a.w_look * len(looks) * lk
        if acc:
            ok = (z.argmax(-1) == y) | (y < 0)
            st.update(loss=loss.item(), qa=ok[:, :K * LS].view(B, K, LS).all(-1).float().mean().item(),
                      cap=ok[:, K * LS:].all(-1).float().mean().item(), look=float(lk.detach()) if looks else 0.)
        return tot, st

    def half():
        return {k: v.cpu().half() if v.is_floating_point() else v.cpu() for k, v in m.state_dict().items()}

    def save(name, step):
        torch.save(dict(m=half(), cfg=CFG, step=step), os.path.join(a.out, name + '.tmp'))
        os.replace(os.path.join(a.out, name + '.tmp'), os.path.join(a.out, name))
        s = {k: v.cpu().half() for k, v in m.vit.state_dict(prefix='vit.').items()}
        torch.save(dict(m=dict(s, hw=hw.data.cpu().half(), hb=hb.data.cpu().half()), cfg=CFG, step=step), os.path.join(a.out, 'vit.pt'))

    def attempt(f, *v, **k):
        """f, without compilation if that fails."""
        try:
            return f(*v, **k)
        except Exception as e:
            if fast.vb is fast.eager[0]:
                raise
            say('compilation failed, going on without:', repr(e)[:600])
            fast.vb, fast.lb = fast.eager
            return f(*v, **k)

    sync = torch.cuda.synchronize if dev == 'cuda' else lambda: None
    pool.need(a.start)
    say('pictures', pool.seen, 'after', round(time.time() - T0, 1))

    if a.check:
        B = min(8, a.start)
        with torch.no_grad():
            px, x = pool.sample(B, ('px', 'x'))
            px, x = norm(px), x.long()
            r1, r2 = m.vit(px), fast.vit(m.vit, px, True)
            say('tower, eager against model.py:', ((r1 - r2).norm() / r1.norm()).item())
            pre = torch.cat([m.llm.emb[PR[0]].expand(B, len(PR[0]), -1), m.proj(r1)], 1)
            pos = torch.arange(pre.shape[1], device=dev).expand(B, pre.shape[1])
            h1 = m.llm(pre, pos, m.llm.emb[x], [(K, LS), (1, LC)], pre.shape[1]).float()
            h2 = fast.llm(m.llm, pre, m.llm.emb[x], ((K, LS), (1, LC)), see, True)[0].float()
            say('decoder, eager against model.py:', ((h1 - h2).norm() / h1.norm()).item())
        keep = {k: v.clone() for k, v in m.state_dict().items()}
        kh = hw.data.clone(), hb.data.clone()
        opt = FastOpt(list(m.named_parameters()) + [('hw', hw), ('hb', hb)], .02 * a.lr, 3e-3 * a.lr, scale=lambda n: a.vit_scale if n.startswith('vit.') else 1.)
        JB = 96 if dev == 'cuda' else 2

        def try_joint(B, acc, style):
            l, st = joint_step(B, acc, style)
            l.backward()
            return st

        for style, n in ((0, 12), (1, 4)) if dev == 'cuda' else ((0, 1), (1, 1)):
            for i in range(n):
                if i == n // 3:
                    sync()
                    t = time.time()
                st = attempt(try_joint, JB, i == n - 1, style)
                opt.step(.02)
                pool.fill()
                if i == 0:
                    sync()
                    say('first joint step done')
            sync()
            say(f'joint step of {JB}, style {style}:', (time.time() - t) / (n - n // 3), st, 'bad', opt.bad.item())
        if dev == 'cuda':
            say('memory', torch.cuda.max_memory_allocated() / 2**30)
        m.load_state_dict(keep)
        hw.data.copy_(kh[0])
        hb.data.copy_(kh[1])
        del opt, keep

    if a.stage == 'tower':
        params = [('vit.' + n, p) for n, p in m.vit.named_parameters()] + [('hw', hw), ('hb', hb)]
        opt = FastOpt(params, .02 * a.lr, 2e-3 * a.lr)
        one = tower_step
    else:
        if a.sym:
            s = load(a.sym)
            sym = Sym().to(dev)
            sym.load_state_dict({k[4:]: v for k, v in s.items() if k.startswith('sym.')})
            AB = min(a.batch, 64)
            Fs, Ts = [], []
            with torch.no_grad():
                for _ in range(8):
                    px, lab = pool.sample(AB, ('px', 'lab'))
                    lab = lab.long()
                    f, t = fast.vit(m.vit, norm(px), True).reshape(-1, CFG['v_dim']), sym(m.llm.emb, lab).reshape(-1, CFG['dim'])
                    o = lab.reshape(-1, 7)[:, 0] != 9
                    k = torch.cat([torch.nonzero(o)[:, 0], torch.nonzero(~o)[:, 0][::6]])
                    Fs.append(f[k])
                    Ts.append(t[k])
                f, t = torch.cat(Fs).double(), torch.cat(Ts).double()
                f1 = torch.cat([f, torch.ones_like(f[:, :1])], 1)
                W = torch.linalg.solve(f1.T @ f1 + 1e-3 * len(f1) * torch.eye(f1.shape[1], device=dev), f1.T @ t)
                say('least squares: relative error', (((f1 @ W - t) ** 2).mean() / (t ** 2).mean()).item())
                sg = (f1 @ W).std(0).mean().item() * 2.5
                m.proj.w1.copy_((W[:-1] / sg).T)
                m.proj.b1.copy_(W[-1] / sg + 2)
                m.proj.w2.copy_(torch.eye(CFG['dim']) * sg)
                m.proj.b2.fill_(-2 * sg)
            po = FastOpt([('proj.' + n, p) for n, p in m.proj.named_parameters()], .01, 1.5e-3)
            for i in range(a.align):
                with torch.no_grad():
                    px, lab = pool.sample(AB, ('px', 'lab'))
                    lab = lab.long()
                    f, t = fast.vit(m.vit, norm(px), True), sym(m.llm.emb, lab)
                e = ((m.proj(f) - t) ** 2).mean(-1)
                o = (lab[..., 0] != 9).float()
                l = (e * o).sum() / o.sum() + (e * (1 - o)).sum() / (1 - o).sum()
                l.backward()
                po.step(1 if i < a.align / 3 else 1.5 * (1 - i / a.align))
                pool.fill()
                if i % 50 == 49:
                    say('align', i + 1, 'relative error on objects', ((e * o).sum() / o.sum() / (((t ** 2).mean(-1) * o).sum() / o.sum())).item())
            for p in m.parameters():
                p.grad = None
        opt = FastOpt(list(m.named_parameters()) + [('hw', hw), ('hb', hb)], .02 * a.lr, 3e-3 * a.lr,
                      scale=lambda n: a.vit_scale if n[:3] == 'vit' or n in ('hw', 'hb') else 1.)
        one = joint_step

    def go(acc, style):
        l, st = one(a.batch, acc, style=style) if one is joint_step else one(a.batch, acc)
        l.backward()
        return l, st

    rng = np.random.default_rng(a.seed)
    attempt(go, False, 0)
    for p in m.parameters():
        p.grad = None
    hw.grad = hb.grad = None
    sync()
    say('compiled')
    step, t0 = 0, time.time()
    if a.until:
        a.seconds = max(5, a.until - t0)
        say('seconds', a.seconds)
    shown = saved = evald = t0
    n0 = pool.seen
    if a.eval or a.pack:
        from train_vlm import evaluate
    while True:
        now = time.time()
        fr = (now - t0) / a.seconds
        if fr >= 1:
            break
        f = min(1, (step + 1) / 50) * (1 if fr < a.hold else a.floor + (1 - a.floor) * (1 - fr) / (1 - a.hold))
        if a.rich_end is not None and fr > .6:
            src.rich.value = a.rich_end
        acc = step % 50 == 49
        style = int(one is joint_step and rng.random() < a.short)
        l, st = go(acc, 0 if acc else style)
        opt.step(f)
        pool.fill()
        step += 1
        if acc:
            if now - shown > 4:
                shown = now
                say(f'step {step} {now - t0:.0f}s lr {f:.2f} seen {pool.seen - n0} have {pool.have} total {l.item():.3f} bad {opt.bad.item():.0f} ' +
                    ' '.join(f'{k} {v:.3f}' for k, v in st.items()))
        elif step % 4 == 0:
            sync()                      # keep the host no more than a few steps ahead
        if now - saved > 60:
            saved = now
            save('vlm.pt', step)
        if a.eval and one is joint_step and now - evald > a.eval:
            evald = now
            say('val', ' '.join(f'{k} {v:.3f}' for k, v in evaluate(m, 48, dev=dev).items()))
    sync()
    save('vlm.pt', step)
    say('done', step, 'steps', 'seen', pool.seen, 'samples', step * a.batch)
    src.stop()
    if a.pack:
        from eval_pack import run, table
        m.load_state_dict(load(os.path.join(a.out, 'vlm.pt')))       # what was saved, in half precision
        res = run(m, a.pack, dev)
        json.dump(res, open(os.path.join(a.out, 'eval.json'), 'w'), indent=1)
        open(os.path.join(a.out, 'eval.txt'), 'w').write(table(res) + '\n')
        say('evaluation\n' + table(res))
    if a.eval:
        say('val', ' '.join(f'{k} {v:.3f}' for k, v in evaluate(m, 200, dev=dev, seed=20_000_003).items()))
