"""Synthetic scenes with questions and answers.

A scene is a 336x336 picture with one to six objects (seven shapes, digits,
letters) in eleven colours and three sizes on a plain, graded or textured
background.  Everything is drawn from a numpy Generator, so a seed fixes the
scene, its picture, its per-patch labels and its questions.
"""
import os
import numpy as np
from PIL import Image, ImageDraw, ImageFont

S, P, G = 336, 14, 24
PAD = (122, 116, 104)           # the mean colour LLaVA pads pictures with

COLORS = {
    'red':    [(255, 0, 0), (220, 30, 30), (200, 20, 40)],
    'green':  [(0, 128, 0), (30, 150, 50), (0, 200, 0), (0, 255, 0)],
    'blue':   [(0, 0, 255), (35, 70, 215), (30, 100, 240)],
    'yellow': [(255, 255, 0), (245, 215, 30), (250, 230, 60)],
    'orange': [(255, 140, 0), (245, 130, 20), (255, 150, 10)],
    'purple': [(128, 0, 128), (130, 40, 170), (148, 0, 211)],
    'pink':   [(255, 105, 180), (250, 140, 190), (255, 175, 200)],
    'brown':  [(139, 69, 19), (125, 75, 35), (110, 60, 30)],
    'black':  [(0, 0, 0), (18, 18, 18)],
    'white':  [(255, 255, 255), (245, 245, 245)],
    'gray':   [(128, 128, 128), (145, 145, 145), (110, 110, 110)],
}
CNAMES = list(COLORS)
SHAPES = ['circle', 'square', 'triangle', 'star', 'ring', 'cross', 'heart']
KINDS = SHAPES + ['letter', 'digit']
CHARS = list('0123456789ABCDEFGHIJKLMNPQRSTUVWXYZ')      # no letter O
SIZES = ['small', 'medium', 'large']
CELLS = ['top left', 'top', 'top right', 'left', 'center', 'right',
         'bottom left', 'bottom', 'bottom right']
FONTS = ['DejaVuSans-Bold.ttf', 'DejaVuSerif-Bold.ttf', 'DejaVuSansMono-Bold.ttf',
         'DejaVuSansCondensed-Bold.ttf', 'DejaVuSans.ttf']
FONT_DIR = os.environ.get('DEMO_FONTS', '/usr/share/fonts/truetype/dejavu/')
A = 160                         # side of the mask atlas cells


def _poly(points, rot):
    n = A * 4
    im = Image.new('L', (n, n), 0)
    c, s = np.cos(rot), np.sin(rot)
    pts = [((x * c - y * s + 1) * n / 2, (x * s + y * c + 1) * n / 2) for x, y in points]
    ImageDraw.Draw(im).polygon(pts, fill=255)
    return im.resize((A, A), Image.BOX)


def _shape(kind, v):
    rot = np.deg2rad([0, 8, -8, 14, -14][v])
    n = A * 4
    if kind == 'circle':
        im = Image.new('L', (n, n), 0)
        ImageDraw.Draw(im).ellipse((4, 4, n - 4, n - 4), fill=255)
        return im.resize((A, A), Image.BOX)
    if kind == 'ring':
        im = Image.new('L', (n, n), 0)
        d = ImageDraw.Draw(im)
        d.ellipse((4, 4, n - 4, n - 4), fill=255)
        w = n * [.17, .2, .14, .16, .19][v]
        d.ellipse((w, w, n - w, n - w), fill=0)
        return im.resize((A, A), Image.BOX)
    if kind == 'square':
        a = [.98, .88, .88, .8, .8][v]
        return _poly([(-a, -a), (a, -a), (a, a), (-a, a)], rot)
    if kind == 'triangle':
        b = [.98, .86, .86, .9, .78][v]
        return _poly([(0, -.98), (b, .78), (-b, .78)], rot * .7)
    if kind == 'star':
        ri = [.4, .42, .38, .45, .4][v]
        pts = []
        for i in range(10):
            r = .98 if i % 2 == 0 else ri
            t = -np.pi / 2 + i * np.pi / 5
            pts.append((r * np.cos(t), r * np.sin(t)))
        return _poly(pts, rot)
    if kind == 'cross':
        w, a = [.33, .3, .3, .27, .36][v], [.98, .9, .9, .88, .88][v]
        return _poly([(-w, -a), (w, -a), (w, -w), (a, -w), (a, w), (w, w), (w, a), (-w, a),
                      (-w, w), (-a, w), (-a, -w), (-w, -w)], rot)
    if kind == 'heart':
        t = np.linspace(0, 2 * np.pi, 200)
        x = 16 * np.sin(t) ** 3 / 17
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 17
        return _poly(list(zip(x * [1, .9, .95, .9, .85][v], y * .97 - .08)), rot * .8)
    raise ValueError(kind)


def _glyph(ch, v):
    f = ImageFont.truetype(FONT_DIR + FONTS[v], 200)
    x0, y0, x1, y1 = map(int, f.getbbox(ch))
    im = Image.new('L', (x1 - x0, y1 - y0), 0)
    ImageDraw.Draw(im).text((-x0, -y0), ch, font=f, fill=255)
    h = A
    w = max(8, min(A, round((x1 - x0) * h / (y1 - y0))))
    im = im.resize((w, h), Image.LANCZOS)
    out = Image.new('L', (A, A), 0)
    out.paste(im, ((A - w) // 2, 0))
    return out


_atlas = {}
KEEP = None                     # a dict here keeps resized masks (up to 400 MB; for processes that draw a lot)


def mask(key, v, size):
    k = (key, v)
    if k not in _atlas:
        _atlas[k] = _shape(key, v) if key in SHAPES else _glyph(key, v)
    if KEEP is None:
        return np.asarray(_atlas[k].resize((size, size), Image.BILINEAR), dtype=np.float32) * (1 / 255)
    k = (key, v, size)
    if k not in KEEP:
        KEEP[k] = np.asarray(_atlas[k[:2]].resize((size, size), Image.BILINEAR))
    return KEEP[k].astype(np.float32) * (1 / 255)


def _jit(rng, rgb, j=10):
    return np.clip(np.array(rgb, np.float32) + rng.uniform(-j, j, 3), 0, 255)


class Obj:
    __slots__ = ('kind', 'char', 'color', 'rgb', 'size', 'px', 'x', 'y', 'cell', 'var', 'crgb', 'cvar')

    @property
    def glyph(self):
        return self.kind in ('letter', 'digit')


def make_scene(rng, n=None, easy=False, rich=False):
    """A random scene; easy ones have dark objects on plain white (used early in training the vision tower), rich
    ones three to six objects, most of which are characters or show one."""
    sc = {}
    # background
    r = rng.random()
    bg = ['white', 'black', 'gray'][rng.integers(3)] if r < .45 else CNAMES[rng.integers(len(CNAMES))]
    if easy:
        bg = 'white'
    base = _jit(rng, COLORS[bg][rng.integers(len(COLORS[bg]))], 6)
    if bg in ('blue', 'green', 'yellow', 'purple') and rng.random() < .6:
        base = base + (255 - base) * rng.uniform(.45, .75)
    elif bg in ('blue', 'green') and rng.random() < .3:
        base = base * rng.uniform(.4, .65)
    sc['bg'], sc['bgrgb'] = bg, base
    sc['tex'] = rng.choice(5, p=[.45, .2, .2, .075, .075])   # plain, graded, noise, stripes, checks
    if easy:
        sc['tex'] = 0
    sc['texa'] = rng.uniform(4, 14)
    sc['texd'] = rng.integers(0, 4)
    sc['texp'] = int(rng.integers(6, 30))
    # letterbox
    x0 = y0 = 0
    w = h = S
    sc['box'] = None
    if rng.random() < .08:
        f = int(S * rng.uniform(.68, .85))
        o = (S - f) // 2
        if rng.random() < .7:
            y0, h = o, f
        else:
            x0, w = o, f
        sc['box'] = (x0, y0, w, h)
    if rich:
        n = 3 + int(rng.integers(4))
    if n is None:
        n = 1 + rng.choice(6, p=[.2, .2, .2, .16, .13, .11])
    cells = rng.permutation(9)[:n]
    cw, ch = w / 3, h / 3
    objs = []
    for c in cells:
        o = Obj()
        t = rng.random()
        o.kind = 'letter' if t < (.3 if rich else .14) else 'digit' if t < (.5 if rich else .26) else SHAPES[rng.integers(7)]
        # keep some scenes with repeated shapes so that counts matter
        if objs and rng.random() < .3:
            o.kind = objs[rng.integers(len(objs))].kind
        o.size = int(rng.integers(3)) if sc['box'] is None else int(rng.integers(2))
        lo, hi = [(32, 46), (58, 74), (90, 106)][o.size]
        hi = int(min(hi, min(cw, ch) - 4)) if n > 1 else hi
        o.px = int(rng.integers(min(lo, hi), hi + 1))
        if n == 1 and o.size == 2 and rng.random() < .6:
            o.px = int(rng.integers(90, 190))
        while True:
            o.color = CNAMES[rng.integers(len(CNAMES))]
            o.rgb = _jit(rng, COLORS[o.color][rng.integers(len(COLORS[o.color]))])
            if easy and o.color not in ('black', 'blue', 'purple'):
                continue
            if o.color != bg and np.abs(o.rgb - base).sum() > 130:
                break
        jx, jy = max(0, (cw - o.px) / 2 - 2), max(0, (ch - o.px) / 2 - 2)
        cx = x0 + (c % 3 + .5) * cw + rng.uniform(-jx, jx)
        cy = y0 + (c // 3 + .5) * ch + rng.uniform(-jy, jy)
        o.x = int(np.clip(round(cx - o.px / 2), x0, x0 + w - o.px))
        o.y = int(np.clip(round(cy - o.px / 2), y0, y0 + h - o.px))
        c = int(min(2, (o.y + o.px / 2 - y0) // ch) * 3 + min(2, (o.x + o.px / 2 - x0) // cw))
        o.cell = c
        o.var = int(rng.integers(5)) if not o.glyph else int(rng.choice(5, p=[.35, .2, .2, .15, .1]))
        o.char = None
        o.crgb = None
        o.cvar = 0
        if o.kind == 'digit':
            o.char = CHARS[rng.integers(10)]
        elif o.kind == 'letter':
            o.char = CHARS[10 + rng.integers(len(CHARS) - 10)]
        elif o.kind in ('square', 'circle') and o.size > 0 and rng.random() < (.85 if rich else .45):
            o.char = CHARS[rng.integers(len(CHARS))]
            lum = o.rgb @ np.array([.3, .59, .11])
            o.crgb = np.array((255, 255, 255) if lum < 120 else (0, 0, 0), np.float32)
            o.cvar = int(rng.choice(4))
        objs.append(o)
    objs.sort(key=lambda o: o.cell)
    sc['objs'] = objs
    sc['seed'] = int(rng.integers(1 << 31))
    return sc


def _keyof(o):
    return o.char if o.glyph else o.kind


def render(sc, win=None):
    """Picture (or its window x, y, w, h) as uint8 HxWx3."""
    wx, wy, ww, wh = win or (0, 0, S, S)
    rng = np.random.default_rng(sc['seed'])

    def u8(v):
        v = v + np.float32(.5)
        return np.clip(v, 0, 255, out=v).astype(np.uint8)

    # the background: bg is what objects blend with, of shape (h or 1, w or 1, 3); of checks, the two colours
    bg = np.empty((1, 1, 3), np.float32)
    bg[:] = sc['bgrgb']
    t, a = sc['tex'], sc['texa']
    yy = np.arange(wy, wy + wh, dtype=np.float32)
    xx = np.arange(wx, wx + ww, dtype=np.float32)
    d = sc['texd']
    if t == 1:
        g = (yy / S - .5)[:, None] if d < 2 else (xx / S - .5)[None, :]
        bg = bg + ((g if d % 2 else -g) * 2.2 * a)[..., None].astype(np.float32)
    elif t == 2:
        bg = bg + rng.standard_normal((wh, ww, 1), dtype=np.float32) * np.float32(a * .8)
    elif t == 3:
        g = np.sign(np.sin((yy if d < 2 else xx) * (np.pi / sc['texp'])))
        g = g[:, None] if d < 2 else g[None, :]
        bg = bg + (g * a * .6)[..., None].astype(np.float32)
    img = np.empty((wh, ww, 3), np.uint8)
    if t == 4:
        odd = ((np.arange(wy, wy + wh)[:, None] // sc['texp'] + np.arange(wx, wx + ww) // sc['texp']) % 2)
        bg = (np.array([-1, 1], np.float32) * a * .6)[:, None].astype(np.float32) + bg[0, 0]
        img[:] = u8(bg)[odd]
    else:
        img[:] = u8(bg)
    for o in sc['objs']:
        if o.x >= wx + ww or o.y >= wy + wh or o.x + o.px <= wx or o.y + o.px <= wy:
            continue
        parts = [(_keyof(o), o.var, o.px, o.x, o.y, o.rgb)]
        if o.crgb is not None:
            s = int(o.px * (.62 if o.kind == 'square' else .55))
            k = (o.px - s) // 2
            parts.append((o.char, o.cvar, s, o.x + k, o.y + k, o.crgb))
        reg = None
        for key, v, px, x, y, rgb in parts:     # the second part lies within the first
            x0, y0, x1, y1 = max(x, wx), max(y, wy), min(x + px, wx + ww), min(y + px, wy + wh)
            if x1 <= x0 or y1 <= y0:
                continue
            m = mask(key, v, px)[y0 - y:y1 - y, x0 - x:x1 - x, None]
            if reg is None:
                X, Y, W, H = x0, y0, x1 - x0, y1 - y0
                sl = (slice(Y - wy, Y - wy + H), slice(X - wx, X - wx + W))
                reg = np.empty((H, W, 3), np.float32)
                reg[:] = bg[odd[sl]] if t == 4 else bg[sl[0] if bg.shape[0] > 1 else slice(None), sl[1] if bg.shape[1] > 1 else slice(None)]
            r = reg[y0 - Y:y1 - Y, x0 - X:x1 - X]
            r += (rgb - r) * m
        img[sl] = u8(reg)
    if sc['box']:
        bx, by, bw, bh = sc['box']
        for sl in ((slice(0, max(0, by - wy)), slice(None)), (slice(max(0, by + bh - wy), None), slice(None)),
                   (slice(None), slice(0, max(0, bx - wx))), (slice(None), slice(max(0, bx + bw - wx), None))):
            img[sl] = PAD
    return img


def labels(sc):
    """Index of the object that owns each of the 24x24 patches (-1: background), and centre patches."""
    best = np.full((G, G), .08, np.float32)
    own = np.full((G, G), -1, np.int64)
    cen = np.zeros((G, G), np.int64)
    for i, o in enumerate(sc['objs']):
        gx0, gy0 = o.x // P, o.y // P
        gx1, gy1 = (o.x + o.px - 1) // P + 1, (o.y + o.px - 1) // P + 1
        m = np.zeros(((gy1 - gy0) * P, (gx1 - gx0) * P), np.float32)
        m[o.y - gy0 * P:o.y - gy0 * P + o.px, o.x - gx0 * P:o.x - gx0 * P + o.px] = mask(_keyof(o), o.var, o.px)
        cov = m.reshape(gy1 - gy0, P, gx1 - gx0, P).mean((1, 3))
        b = best[gy0:gy1, gx0:gx1]
        w = cov > b
        b[w] = cov[w]
        own[gy0:gy1, gx0:gx1][w] = i
    for i, o in enumerate(sc['objs']):      # centre: the owned patch nearest to the middle
        ys, xs = np.nonzero(own == i)
        if len(ys):
            d = (ys * P + 7 - o.y - o.px / 2) ** 2 + (xs * P + 7 - o.x - o.px / 2) ** 2
            k = int(np.argmin(d))
            cen[ys[k], xs[k]] = 1
    return own, cen


# ---------------------------------------------------------------- questions

def an(s):
    return ('an ' if s[0] in 'aeiou' else 'a ') + s


def noun(o):
    return o.kind if not o.glyph else f'{o.kind} {o.char}'


def full(o):
    return f'{o.color} {noun(o)}'


def at(c, rng=None):
    n = CELLS[c]
    if rng is not None:
        r = rng.random()
        if ' ' in n:
            if r < .25:
                return f'in the {n} corner'
            if r < .4:
                return 'in the ' + n.replace('top', 'upper').replace('bottom', 'lower')
            return f'in the {n}' if r < .7 else f'at the {n}'
        if n == 'center':
            return 'in the center' if r < .6 else 'in the middle'
        if n in ('left', 'right'):
            return f'on the {n}' if r < .7 else f'on the {n} side'
        return f'at the {n}'
    return 'in the center' if n == 'center' else f'on the {n}' if n in ('left', 'right') else f'at the {n}'


def refs(sc, o, avoid=()):
    """Unique descriptions of an object that do not use the avoided attributes."""
    objs = sc['objs']
    out = []
    same = [p for p in objs if noun(p) == noun(o)]
    if 'kind' not in avoid:
        if len(same) == 1:
            out += [noun(o)] * 3
            if o.glyph and sum(p.kind == o.kind for p in objs) == 1:
                out.append(o.kind)
        if 'color' not in avoid and sum(p.color == o.color for p in same) == 1:
            out += [full(o)] * 2
        if 'size' not in avoid and sum(p.size == o.size for p in same) == 1:
            out.append(f'{SIZES[o.size]} {noun(o)}')
    return out


def pick(rng, xs):
    return xs[int(rng.integers(len(xs)))]


def q_color(sc, rng):
    o = pick(rng, sc['objs'])
    r = refs(sc, o, ('color',))
    if not r:
        return None
    d = pick(rng, r)
    q = pick(rng, ['What color is the {}?', 'What color is the {}?', 'What is the color of the {}?', 'Which color is the {}?',
                   'what colour is the {}?', 'Tell me the color of the {}.', 'The {} is what color?'])
    return q.format(d), o.color, [o]


def q_at(sc, rng):
    o = pick(rng, sc['objs'])
    pos = at(o.cell, rng)
    t = rng.random()
    if t < .4 and not o.glyph:
        q = pick(rng, ['What shape is {}?', 'Which shape is {}?', 'What is the shape {}?'])
        return q.format(pos), o.kind, [o]
    if t < .6:
        q = pick(rng, ['What color is the object {}?', 'What is the color of the object {}?'])
        return q.format(pos), o.color, [o]
    q = pick(rng, ['What is {}?', 'What object is {}?', 'What do you see {}?', 'Which object is {}?'])
    return q.format(pos), an(full(o)), [o]


def q_text(sc, rng):
    objs = [o for o in sc['objs'] if o.char]
    if not objs:
        return None
    o = pick(rng, objs)
    if o.glyph:
        k = o.kind
        if sum(p.kind == k for p in sc['objs']) == 1 and not any(p.crgb is not None for p in sc['objs']):
            w = k if k == 'letter' or rng.random() < .5 else 'number'
            q = pick(rng, ['What {} is shown?', 'Which {} is shown in the image?', 'What {} is in the picture?',
                           'Which {} do you see?', 'What {} is this?', 'Read the {}.'])
            return q.format(w), o.char, [o]
        if sum(p.glyph and p.color == o.color for p in sc['objs']) == 1:
            q = pick(rng, ['What is the {} {}?', 'Which {} {} is shown?', 'Read the {} {}.'])
            if sum(p.kind == k and p.color == o.color for p in sc['objs']) == 1:
                return q.format(o.color, k), o.char, [o]
        return None
    same = [p for p in sc['objs'] if p.kind == o.kind]
    d = [o.kind] if len(same) == 1 else []
    if sum(p.color == o.color for p in same) == 1:
        d.append(full(o))
    if not d:
        return None
    k = 'digit' if o.char.isdigit() else 'letter'
    q = pick(rng, ['What is written in the {}?', 'What is written inside the {}?', 'Which %s is in the {}?' % k,
                   'What %s is inside the {}?' % k, 'Read the text in the {}.', 'What does the {} say?'])
    return q.format(pick(rng, d)), o.char, [o]


def plural(k):
    return k + ('es' if k.endswith('s') else 's')


def q_count(sc, rng):
    t = rng.random()
    objs = sc['objs']
    if t < .3:
        q = pick(rng, ['How many objects are there?', 'How many objects are in the image?', 'How many things do you see?',
                       'Count the objects.'])
        return q, str(len(objs)), objs
    if t < .75:
        k = pick(rng, [o.kind for o in objs]) if rng.random() < .85 else pick(rng, KINDS)
        has = [o for o in objs if o.kind == k]
        d = plural(k)
    else:
        c = pick(rng, [o.color for o in objs]) if rng.random() < .9 else pick(rng, CNAMES)
        has = [o for o in objs if o.color == c]
        d = f'{c} objects'
    q = pick(rng, ['How many {} are there?', 'How many {} are in the image?', 'How many {} do you see?', 'How many {} can you count?'])
    return q.format(d), str(len(has)), has or objs


def q_exist(sc, rng):
    objs = sc['objs']
    yes = rng.random() < .5
    t = rng.random()
    if t < .4:          # kind
        have = {o.kind for o in objs}
        pool = [k for k in KINDS if (k in have) == yes]
        w = pick(rng, pool)
        has = [o for o in objs if o.kind == w]
        d = an(w)
    elif t < .55:       # colour
        have = {o.color for o in objs}
        pool = [k for k in CNAMES if (k in have) == yes and k != sc['bg']]
        w = pick(rng, pool)
        has = [o for o in objs if o.color == w]
        d = an(w + ' object')
    else:               # colour and shape
        have = {(o.color, o.kind) for o in objs}
        if yes:
            c, k = pick(rng, sorted(have))
        else:
            for _ in range(20):
                u = rng.random()
                c = pick(rng, objs).color if u < .7 else pick(rng, CNAMES)
                k = pick(rng, objs).kind if u > .3 else pick(rng, KINDS)
                if (c, k) not in have and c != sc['bg']:
                    break
            else:
                return None
        has = [o for o in objs if (o.color, o.kind) == (c, k)]
        d = an(f'{c} {k}')
    q = pick(rng, ['Is there {}?', 'Is there {} in the image?', 'Is there {} in the picture?', 'Do you see {}?', 'Can you see {}?'])
    return q.format(d), 'yes' if yes else 'no', has or objs


REL = {'left': ('to the left of', 'left of'), 'right': ('to the right of', 'right of'), 'above': ('above',), 'below': ('below', 'under')}


def neighbours(sc, o, rel):
    r, c = divmod(o.cell, 3)
    out = []
    for p in sc['objs']:
        if p is o:
            continue
        pr, pc = divmod(p.cell, 3)
        if {'left': pr == r and pc < c, 'right': pr == r and pc > c, 'above': pc == c and pr < r, 'below': pc == c and pr > r}[rel]:
            out.append(p)
    return out


def q_rel(sc, rng):
    for _ in range(4):
        o = pick(rng, sc['objs'])
        cand = [(rel, nb[0]) for rel in REL for nb in [neighbours(sc, o, rel)] if len(nb) == 1]
        if not cand:
            continue
        rel, p = pick(rng, cand)
        r = refs(sc, o)
        if not r:
            continue
        d = pick(rng, r)
        rw = pick(rng, REL[rel])
        q = pick(rng, ['What is {} the {}?', 'What is {} the {}?', 'Which object is {} the {}?', 'What do you see {} the {}?'])
        return q.format(rw, d), an(full(p)), [o, p]
    return None


def q_size(sc, rng):
    o = pick(rng, sc['objs'])
    r = refs(sc, o, ('size',))
    if not r:
        return None
    q = pick(rng, ['What size is the {}?', 'How big is the {}?', 'What is the size of the {}?', 'How large is the {}?',
                   'Is the {} small, medium or large?'])
    return q.format(pick(rng, r)), SIZES[o.size], [o]


def q_where(sc, rng):
    o = pick(rng, sc['objs'])
    r = refs(sc, o)
    if not r:
        return None
    q = pick(rng, ['Where is the {}?', 'Where is the {}?', 'Where is the {} in the image?', 'What is the position of the {}?', 'Where do you see the {}?'])
    return q.format(pick(rng, r)), CELLS[o.cell], [o]


def q_bg(sc, rng):
    q = pick(rng, ['What color is the background?', 'What is the background color?', 'What is the color of the background?',
                   'Which color is the background?'])
    return q, sc['bg'], []


def q_caption(sc, rng):
    q = pick(rng, ['Describe the image.', 'Describe the image.', 'Describe this picture.', 'What is in this image?', 'Describe the picture.', 'What do you see?',
                   'What is shown in the image?', 'Give a short description of the image.'])
    parts = []
    for o in sc['objs']:
        s = an(full(o))
        if o.crgb is not None:
            s += f' with the {"digit" if o.char.isdigit() else "letter"} {o.char}'
        parts.append(f'{s} {at(o.cell)}')
    t = parts[0] if len(parts) == 1 else ', '.join(parts[:-1]) + ' and ' + parts[-1]
    t = t[0].upper() + t[1:]
    return q, f'{t} on {an(sc["bg"])} background.'


FAMILIES = {'color': (q_color, .18), 'at': (q_at, .15), 'text': (q_text, .13), 'count': (q_count, .12), 'exist': (q_exist, .13),
            'relation': (q_rel, .11), 'size': (q_size, .06), 'where': (q_where, .07), 'background': (q_bg, .05)}
_F = list(FAMILIES)
_PW = np.array([FAMILIES[f][1] for f in _F])
_PW /= _PW.sum()


def make_qa(sc, rng, k, weights=None, about=False):
    """k short question-answer pairs (family, question, answer) about the scene; with about=True also the list of
    the objects that the answer is read from (empty for the background)."""
    out = []
    w = _PW if weights is None else weights
    tries = 0
    while len(out) < k:
        tries += 1
        f = _F[int(rng.choice(len(_F), p=w))]
        qa = FAMILIES[f][0](sc, rng)
        if qa is None or (tries < 60 and any(x[1] == qa[0] for x in out)):
            continue
        out.append((f,) + (qa if about else qa[:2]))
    return out
