"""Exact-match accuracy of a checkpoint on an evaluation pack, with majority-answer baselines per family.

Usage: eval_pack.py CHECKPOINT PACK [result.json]
"""
import json
import os
import sys
from collections import Counter, defaultdict
import numpy as np
import torch
from PIL import Image
from model import lin, build
from data import *



@torch.no_grad()
def run(m, pack, dev):
    """Per family: n, exact, majority; 'all' is all but the captions."""
    by = defaultdict(list)
    for l in open(os.path.join(pack, 'questions.jsonl')):
        r = json.loads(l)
        by[r['image']].append(r)
    pr = torch.tensor(prompt_ids(0), device=dev)
    n0 = len(pr)
    fam, ans = defaultdict(list), defaultdict(Counter)
    for name, rs in by.items():
        img = np.asarray(Image.open(os.path.join(pack, name)).convert('RGB'))
        v = m.proj(m.vit(torch.from_numpy(patches(img))[None].to(dev)))
        segs = [segment(r['question'], r['answer'], LS if r['family'] != 'caption' else LC) for r in rs]
        ks = sum(r['family'] != 'caption' for r in rs)
        order = sorted(range(len(rs)), key=lambda i: rs[i]['family'] == 'caption')
        x = torch.from_numpy(np.concatenate([segs[i][0] for i in order]))[None].to(dev)
        y = torch.from_numpy(np.concatenate([segs[i][1] for i in order]))[None].to(dev)
        pre = torch.cat([m.llm.emb[pr][None], v], 1)
        pos = torch.arange(n0 + G * G, device=dev)[None]
        h = m.llm(pre, pos, m.llm.emb[x], [(ks, LS)] + ([(len(rs) - ks, LC)] if len(rs) > ks else []), n0 + G * G)
        ok = (y < 0)[0]
        ok[y[0] >= 0] = lin(h[y >= 0], m.llm.head).argmax(-1) == y[y >= 0]
        o = 0
        for i in order:
            n = LS if rs[i]['family'] != 'caption' else LC
            fam[rs[i]['family']].append(bool(ok[o:o + n].all()))
            ans[rs[i]['family']][rs[i]['answer']] += 1
            o += n
    res = {f: dict(n=len(fam[f]), exact=float(np.mean(fam[f])), majority=ans[f].most_common(1)[0][1] / len(fam[f])) for f in sorted(fam)}
    tot = [v for f in fam if f != 'caption' for v in fam[f]]
    base = sum(c.most_common(1)[0][1] for f, c in ans.items() if f != 'caption') / len(tot)
    res['all'] = dict(n=len(tot), exact=float(np.mean(tot)), majority=base)
    return res


def table(res):
    return '\n'.join([f'{"family":16s}    n   exact  majority'] + [
        f'{"all but caption" if f == "all" else f:16s} {r["n"]:4d}  {r["exact"]:.4f}  {r["majority"]:.4f}' for f, r in res.items()])


if __name__ == '__main__':
    ck, pack = sys.argv[1:3]
    torch.set_num_threads(1)
    dev = 'cuda' if torch.cuda.is_available() else 'cpu'
    m = build(dev)
    m.load_state_dict(torch.load(ck, map_location=dev)['m'])
    res = run(m, pack, dev)
    print(table(res))
    if len(sys.argv) > 3:
        json.dump(res, open(sys.argv[3], 'w'), indent=1)
