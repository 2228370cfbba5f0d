"""Processes that draw scenes into shared memory, beside a GPU.

A slot holds C scenes: patches (C,576,588) uint8, labels (C,576,7), owners (C,576) (255: background), ids and targets of
K questions and a caption (C,T) int16, and for each question a bit mask of the objects it is about (C,K).
"""
import mmap
import multiprocessing as mp
import os
import numpy as np
from PIL import Image
import scenes
from scenes import S, P, G, CNAMES, make_scene, render, labels
from data import obj_table, pack, family_weights, LS, LC

K, C = 10, 32
T = K * LS + LC
FIELDS = [('px', (G * G, 3 * P * P), np.uint8), ('lab', (G * G, 7), np.uint8), ('own', (G * G,), np.uint8),
          ('x', (T,), np.int16), ('y', (T,), np.int16), ('about', (K,), np.uint8)]


def palette(img, n=64):
    """As make_packs.py saves a picture."""
    return np.asarray(Image.fromarray(img).quantize(n, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert('RGB'))


def draw(rng, rich, pal, w):
    sc = make_scene(rng, rich=rng.random() < rich)
    own, cen = labels(sc)
    img = render(sc)
    if rng.random() < pal:
        img = palette(img)
    px = img.reshape(G, P, G, P, 3).transpose(0, 2, 4, 1, 3).reshape(G * G, 3 * P * P)
    tab = np.concatenate([obj_table(sc), [[9, 0, 11, 3, 9]]])
    own = own.reshape(-1)
    lab = np.concatenate([tab[own], cen.reshape(-1, 1), np.full((G * G, 1), CNAMES.index(sc['bg']))], 1)
    about = []
    x, y = pack(sc, rng, K, True, w, about)
    return px, lab, np.where(own < 0, 255, own), x, y, about


class Source:
    """slots in shared memory, filled by n processes; rich.value is the share of rich scenes."""

    def __init__(self, n, seed, slots=64, rich=.5, pal=.06, boost=''):
        size = sum(int(np.prod(s)) * np.dtype(t).itemsize for _, s, t in FIELDS) * C
        size = (size + 4095) // 4096 * 4096
        self.mem = mmap.mmap(-1, size * slots)
        self.slots = []
        for i in range(slots):
            o, d = i * size, {}
            for f, s, t in FIELDS:
                a = np.frombuffer(self.mem, t, C * int(np.prod(s)), o).reshape((C,) + s)
                o += a.nbytes
                d[f] = a
            self.slots.append(d)
        ctx = mp.get_context('fork')
        self.rich = ctx.Value('d', rich, lock=False)
        self.free, self.full = ctx.SimpleQueue(), ctx.SimpleQueue()
        for i in range(slots):
            self.free.put(i)
        self.pal, self.w, self.seed = pal, family_weights(boost), seed
        self.procs = [ctx.Process(target=self.work, args=(i,), daemon=True) for i in range(n)]
        for p in self.procs:
            p.start()

    def work(self, i):
        os.nice(5)
        scenes.KEEP = {}
        rng = np.random.default_rng([self.seed, i])
        while True:
            k = self.free.get()
            s = self.slots[k]
            for j in range(C):
                for (f, _, _), v in zip(FIELDS, draw(rng, self.rich.value, self.pal, self.w)):
                    s[f][j] = v
            self.full.put(k)

    def ready(self):
        """Number of a filled slot, or None."""
        return None if self.full.empty() else self.full.get()

    def stop(self):
        for p in self.procs:
            p.terminate()
