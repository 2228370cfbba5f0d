"""Write an evaluation pack: palette PNGs and questions.jsonl.

Usage: make_packs.py OUTDIR --seed S --images N --per K     (random scenes)
       make_packs.py OUTDIR --samples                       (a dozen pictures with chosen questions: samples.json)
"""
import argparse
import json
import os
import numpy as np
from PIL import Image
from scenes import make_scene, make_qa, q_caption, render
from data import segment
LS = 18

ap = argparse.ArgumentParser()
ap.add_argument('out')
ap.add_argument('--seed', type=int, default=0)
ap.add_argument('--images', type=int, default=300)
ap.add_argument('--per', type=int, default=4)
ap.add_argument('--samples', action='store_true')
ap.add_argument('--colors', type=int, default=64)
a = ap.parse_args()
os.makedirs(a.out, exist_ok=True)


def save(img, path):
    Image.fromarray(img).quantize(a.colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)


if a.samples:
    out = []
    i = seed = 0
    while i < 12:
        rng = np.random.default_rng(77_000 + seed)
        seed += 1
        sc = make_scene(rng, n=[1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 6][i])
        if i < 2 and sc['objs'][0].glyph != (i == 1):
            continue
        i += 1
        name = f'sample-{i:02d}.png'
        save(render(sc), os.path.join(a.out, name))
        fams = set()
        for f, q, ans in make_qa(sc, rng, 14):
            if f not in fams and len(fams) < 4 and f != 'background':
                fams.add(f)
                out.append(dict(image=name, family=f, question=q, answer=ans))
        q, ans = q_caption(sc, rng)
        out.append(dict(image=name, family='caption', question='Describe the image.', answer=ans))
    json.dump(out, open(os.path.join(a.out, 'samples.json'), 'w'), indent=1)
else:
    with open(os.path.join(a.out, 'questions.jsonl'), 'w') as f:
        for i in range(a.images):
            rng = np.random.default_rng(a.seed + i)
            sc = make_scene(rng)
            name = f'{i:04d}.png'
            save(render(sc), os.path.join(a.out, name))
            n = 0
            while n < a.per:
                fam, q, ans = make_qa(sc, rng, 1)[0]
                if segment(q, ans, LS):
                    n += 1
                    f.write(json.dumps(dict(image=name, family=fam, question=q, answer=ans)) + '\n')
            q, ans = q_caption(sc, rng)
            f.write(json.dumps(dict(image=name, family='caption', question=q, answer=ans)) + '\n')
