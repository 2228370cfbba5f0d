"""Batches: patches, labels and packed question segments."""
import os
import numpy as np
import sentencepiece as spm
from scenes import (S, P, G, KINDS, CHARS, CNAMES, SIZES, make_scene, make_qa, q_caption, render, labels)
from tok import SYSTEM

HERE = os.path.dirname(os.path.abspath(__file__))
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
_sp = None


def sp():
    global _sp
    if _sp is None:
        _sp = spm.SentencePieceProcessor(os.environ.get('DEMO_TOKENIZER', os.path.join(HERE, '..', 'tokenizer.model')))
    return _sp


def patches(img):
    """uint8 HxWx3 -> N x 588 normalised, channel-major within a patch (as a conv kernel stores it)."""
    x = (img.astype(np.float32) * (1 / 255) - MEAN) / STD
    h, w = x.shape[0] // P, x.shape[1] // P
    return np.ascontiguousarray(x.reshape(h, P, w, P, 3).transpose(0, 2, 4, 1, 3)).reshape(h * w, 3 * P * P)


def obj_table(sc):
    """Per object: kind, char (0 = none), colour, size, cell."""
    return np.array([[KINDS.index(o.kind), 0 if o.char is None else 1 + CHARS.index(o.char), CNAMES.index(o.color), o.size, o.cell]
                     for o in sc['objs']], np.int64)


_sysids = None


def prompt_ids(style=0):
    """Token ids before the image: <s>, system prompt, 'USER: '."""
    s = SYSTEM + ' USER: ' if style == 0 else 'USER: '
    return [1] + sp().encode(s)


# what surrounds a question: LLaVA-1.5's own form, and two that other front ends send
FORMS = ['\n{} ASSISTANT:', '\n{}\nASSISTANT:', '{} ASSISTANT:']


def question_ids(q, style=0):
    """Token ids after the image."""
    return sp().encode(FORMS[style].format(q))


def segment(q, a, L, style=0):
    """Input ids and targets (-1 where no loss) of one question-answer segment, padded to L; None when too long."""
    t = FORMS[style].format(q)
    p = sp().encode(t)
    ids = sp().encode(f'{t} {a}') + [2]
    if ids[:len(p)] != p:
        return None
    if len(ids) - 1 > L:
        return None
    x = np.full(L, 2, np.int64)
    y = np.full(L, -1, np.int64)
    x[:len(ids) - 1] = ids[:-1]
    y[len(p) - 1:len(ids) - 1] = ids[len(p):]
    return x, y


def family_weights(spec):
    """'color=.3,at=.2' -> sampling weights (families left out: 0); '' -> the usual ones."""
    from scenes import FAMILIES
    if not spec:
        w = np.array([FAMILIES[f][1] for f in FAMILIES])
    else:
        d = dict(kv.split('=') for kv in spec.split(','))
        w = np.array([float(d.get(f, 0)) for f in FAMILIES])
    return w / w.sum()


LS, LC = 22, 72


def pack(sc, rng, K, caption=True, weights=None, about=None):
    """K short segments of LS tokens and, if asked, one caption of LC tokens: ids, targets.  A list given as about
    gets, for each short question, a bit mask of the objects it is about."""
    xs, ys = [], []
    while len(xs) < K:
        for f, q, a, obs in make_qa(sc, rng, K - len(xs), weights, True):
            r = rng.random()
            if r < .05:
                q = q.lower()
            elif r < .1:
                q = q.rstrip('?.')
            s = segment(q, a, LS, int(rng.choice(3, p=[.82, .08, .1])))
            if s:
                xs.append(s[0])
                ys.append(s[1])
                if about is not None:
                    about.append(sum(1 << i for i, o in enumerate(sc['objs']) if any(o is p for p in obs)))
    if caption:
        q, a = q_caption(sc, rng)
        s = segment(q, a, LC)
        if s is None:
            s = np.full(LC, 2, np.int64), np.full(LC, -1, np.int64)
        xs.append(s[0])
        ys.append(s[1])
    return np.concatenate(xs), np.concatenate(ys)


def stream(fn, seed, workers=0):
    """fn(rng) again and again, in worker processes when asked (worth it beside a GPU)."""
    import torch

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            w = torch.utils.data.get_worker_info()
            rng = np.random.default_rng([seed, w.id if w else 0])
            while True:
                yield fn(rng)

    if not workers:
        return iter(Stream())
    return iter(torch.utils.data.DataLoader(Stream(), batch_size=None, num_workers=workers, prefetch_factor=4))
