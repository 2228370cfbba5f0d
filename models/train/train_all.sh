#!/bin/sh
# The whole recipe.
# Usage: train_all.sh OUTDIR [FROMDIR]
#   with FROMDIR (vit.pt, vlm.pt and sym.pt of an earlier run): the two GPU stages alone.  This is what the shipped file
#   went through, from an intermediate checkpoint that stages 1 and 2 and the CPU's stages 3 and 4 below had made on CPUs.
#   without: from scratch, on a GPU or (slowly, stages 3 and 4 in another form) on a CPU.
#   SCALE stretches all times (1: about 35 minutes from scratch on a GPU).
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?outdir}
from=$2
mkdir -p "$out"
s=${SCALE:-1}
m() { echo "$1 $s" | awk '{ printf "%.2f", $1 * $2 }'; }
py=${PYTHON:-python3}
[ -f "$here/../tokenizer.model" ] || $py "$here/tok.py" "$here/../tokenizer"
# drawing allocates and frees many arrays of a megabyte
export MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=4000000000 OMP_NUM_THREADS=1
gpu=; W=0 VB=24 FB=24 SB=12 TB=8
if $py -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then gpu=1 W=${WORKERS:-14} VB=96 FB=48 SB=96; fi

if [ -z "$from" ]; then
    # 2. decoder on symbolic tokens: look-ups first, then everything (beside the vision tower when there are cores for both)
    (
    $py "$here/train_sym.py" --out "$out/sym1.pt" --minutes $(m 8) --batch $SB --workers $((W / 2)) --lr .8 --capevery 0 --nmax 4 \
        --boost color=.3,where=.2,size=.1,at=.25,text=.15 > "$out/sym1.log" 2>&1
    $py "$here/train_sym.py" --init "$out/sym1.pt" --out "$out/sym.pt" --minutes $(m 14) --batch $SB --workers $((W / 2)) --lr .8 --capevery 3 \
        --boost color=.16,where=.1,size=.06,at=.16,text=.1,count=.12,exist=.13,relation=.15,background=.02 > "$out/sym.log" 2>&1
    ) &
    # 1. vision tower on windows, then on whole pictures
    $py "$here/train_vit.py" --out "$out/vit1.pt" --minutes $(m 12) --batch $VB --workers $((W / 2)) --mix crops --easy .3 --lr .4 > "$out/vit1.log" 2>&1
    $py "$here/train_vit.py" --init "$out/vit1.pt" --out "$out/vit.pt" --minutes $(m 12) --batch $VB --full-batch $FB --workers $((W / 2)) --mix full --lr .4 > "$out/vit.log" 2>&1
    wait
    cp "$out/sym.pt" "$out/vlm.pt"      # its decoder is what the next stage takes
    from=$out
fi

if [ -n "$gpu" ]; then
    B=color=.12,at=.17,text=.15,count=.15,exist=.13,relation=.15,size=.06,where=.05,background=.02
    # 3. tower on whole pictures: 112 s, 3,458 steps of 256 pictures
    $py "$here/train_gpu.py" --stage tower --out "$out/tower" --vlm "$from/vlm.pt" --vit "$from/vit.pt" --boost $B --workers $W \
        --batch 256 --lr .45 --hold .6 --floor .15 --rich .5 --seconds $(m 112) 2>&1 | tee "$out/tower.log"
    # 4. projector aligned, then tower, projector and decoder together: 526 s, 8,052 steps of 96 pictures with 10 questions each
    $py "$here/train_gpu.py" --stage joint --out "$out/joint" --vlm "$from/vlm.pt" --vit "$out/tower/vit.pt" --sym "$from/sym.pt" \
        --boost $B --workers $W --batch 96 --start 8192 --lr .45 --hold .5 --floor .01 --rich .3 --rich-end 0 --seconds $(m 526) \
        --eval 100 --pack "$here/../eval" 2>&1 | tee "$out/joint.log"
else
    $py "$here/train_vlm.py" --mode align --vit "$from/vit.pt" --sym "$from/sym.pt" --out "$out/align.pt" --minutes $(m 2) --batch $TB --lr .5 --hold .3 > "$out/align.log" 2>&1
    $py "$here/train_vlm.py" --mode tune --init "$out/align.pt" --out "$out/tune.pt" --minutes $(m 25) --batch $TB --lr .4 --eval 300 > "$out/tune.log" 2>&1
    $py "$here/eval_pack.py" "$out/tune.pt" "$here/../eval"
fi
