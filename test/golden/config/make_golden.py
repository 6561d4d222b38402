"""Writes omegaconf.json: what OmegaConf 2.3.0 and Hydra 1.3.2 make of the inputs below.

    pip install omegaconf==2.3.0 hydra-core==1.3.2
    python test/golden/config/make_golden.py > test/golden/config/omegaconf.json

Values are tagged with their Python type, since JSON cannot tell 1 from 1.0 nor write nan.
"""
import json
import math
import os
import tempfile
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

OmegaConf.register_new_resolver("multiply", lambda x, y: x * y)
OmegaConf.register_new_resolver("sum", lambda x, y: x + y)
os.environ["ANEMONE_GOLDEN"] = "12"


def tag(v):
    if v is None:
        return ["null"]
    if isinstance(v, bool):
        return ["bool", v]
    if isinstance(v, int):
        return ["int", v]
    if isinstance(v, float):
        return ["float", "nan" if math.isnan(v) else repr(v)]
    if isinstance(v, str):
        return ["str", v]
    if isinstance(v, list):
        return ["list", [tag(x) for x in v]]
    return ["map", [[str(k), tag(x)] for k, x in v.items()]]


def attempt(f):
    try:
        return tag(f())
    except Exception as e:  # the kind of failure is enough
        return ["error", type(e).__name__]


SCALARS = """1 -1 +1 0 00 007 0o7 0b101 0x1F 1_000 1__0 1_ 1.0 1. .5 -.5 +.5 1e3 1e-3 1E5 1.5e-3 1.e3 .5e+3 .5e3 1e 5e-324
 .inf -.inf +.Inf .nan .NaN inf nan -inf true True TRUE tRue yes Yes YES y Y no No NO n on On off OFF null Null NULL nUll ~ none None
 1:30 12:00:00 00:01:00:00 190:20:30.15 2020-01-02 1,000 1.2.3 0.0.0 a-b /x/y ??? 1e5e5 0x 0b 08 09 -0 -0.0 0xg 1_000.5 +12 1e+3 16-mixed bf16 ./a ../b <<x""".split()

INTERPOLATIONS = """
a: {b: 1, c: 2.0, d: text, e: [1, 2, {f: 3}], t: true, n: null, small: 1e-5, big: 1e20, m: '???'}
name: run
key: b
abs: ${a.b}
flt: ${a.c}
node: ${a}
list: ${a.e}
item: ${a.e[0]}
item2: ${a.e.1}
deep: ${a.e[2].f}
bracket: ${a[b]}
str: x_${a.b}_y
str_float: v${a.c}
str_bool: v${a.t}
str_none: v${a.n}
str_small: v${a.small}
str_big: v${a.big}
two: ${a.b}${a.c}
nested: ${a.${key}}
nested2: ${a.${key}}-${a.d}
esc: \\${a.b}
esc2: 'q\\\\${a.b}'
sib: {x: 5, y: '${.x}', z: '${..a.b}', w: {v: '${..x}', u: '${...name}'}}
inlist: ['${.[1]}', 7, '${..name}']
dictinlist: [{p: 1, q: '${.p}'}]
miss: ${a.m}
env: ${oc.env:ANEMONE_GOLDEN}
env_def: ${oc.env:ANEMONE_UNSET_VAR,fallback}
env_num: ${oc.env:ANEMONE_UNSET_VAR,4}
env_flt: ${oc.env:ANEMONE_UNSET_VAR,1e-4}
env_null: ${oc.env:ANEMONE_UNSET_VAR,null}
env_nest: ${oc.env:ANEMONE_UNSET_VAR,${a.d}}
env_quote: ${oc.env:ANEMONE_UNSET_VAR,'a, b'}
env_empty: ${oc.env:ANEMONE_UNSET_VAR,}
env_bad: ${oc.env:ANEMONE_UNSET_VAR}
dec: ${oc.decode:${oc.env:ANEMONE_GOLDEN}}
dec_list: "${oc.decode:'[1, 2.5, a]'}"
create: "${oc.create:{k: [1, ${a.b}]}}"
sel: ${oc.select:a.zz,9}
sel2: ${oc.select:a.b}
keys: ${oc.dict.keys:sib.w}
mul: ${multiply:${a.b},3}
mulf: ${multiply:${a.b},1.5}
add: "${sum: ${a.b} , ${multiply:2,${a.c}}}"
spaces: ${ a.b }
unknown: ${a.zz}
unknown2: ${nope}
resolver: ${nope:1}
"""

OVERRIDE_BASE = "{model: {a: 1, b: {c: 2, d: [1, 2]}, n: null, name: x}, lst: [{u: 1}, {u: 2}], req: '???'}"
OVERRIDES = [
    ["model.a=2"], ["model.a=2.0"], ["model.a=1e-3"], ["model.a=abc"], ["model.a="], ["model.a=null"], ["model.a=True"],
    ["model.a=yes"], ["model.a=1_000"], ["model.a='1'"], ['model.a="x, y"'], ["model.a=[1,2,[3]]"], ["model.a=[]"], ["model.a={}"],
    ["model.a={x:1,y:{z:[a,b]}}"], ["model.b={c:5}"], ["model.b.d=[9]"], ["model.b={e:5}"], ["+model.e=1"], ["+model.a=1"], ["++model.a=5"],
    ["++model.e.f=5"], ["~model.a"], ["~model.b.c"], ["~model.zz"], ["~model.a=1"], ["~model.a=2"], ["model.zz=1"], ["zz=1"], ["+zz.y.x=1"],
    ["model.a=a b c"], ["model.a= x "], ["model.a=a:b"], ["model.a=/p/q-r.wav"], ["model.a=a=b"], ["model.a=a\\,b"], ["model.a=[a b, 'c,d']"],
    ["model.a=${model.b.c}"], ["model.a=x${model.b.c}y"], ["model.a=${multiply:2,3}"], ["model.a='${model.b.c}'"], ["model.a=1,2"],
    ["model.a=[1,2"], ["model.a='x"], ["model.a=inf"], ["model.a=nan"], ["model.a=.inf"], ["model.a=-1"], ["model.a=+1"], ["model.a=007"],
    ["model.a=1:30"], ["model.a=~"], ["model.a=NULL"], ["req=5"], ["model.a={a:1}", "model.b.c=7"], ["model.b=null"], ["+model.n.x=1"], ["model.n.x=1"],
    ["model.a=\"it's\""], ["model.a='it\\'s'"], ["model.a=\\${x}"], ["model.a=[]", "model.name=a-b_c"], ["model"], ["=1"], ["model.a=0x10"], ["model.a=[null,true,'true']"],
    ["lst=[1]"], ["model.a=a@b"], ["model.a=*"], ["model.a=a?b|c%d$e"], ["model.a=\\[x\\]"], ["model.a=16-mixed"],
]

GROUPS = {
    "config.yaml": "defaults:\n  - base\n  - optim: adam\n  - optional missing: nothing\n  - _self_\nmodel: {x: 1}\nlast: self\n",
    "implicit.yaml": "defaults:\n  - base\n  - optim: adam\nmodel: {x: 1}\nlast: self\n",
    "selffirst.yaml": "defaults:\n  - _self_\n  - base\nmodel: {x: 1}\nlast: self\n",
    "base.yaml": "last: base\nfrom_base: true\nmodel: {x: 0, y: 2}\n",
    "optim/adam.yaml": "name: adam\nlr: 1e-3\n",
    "optim/sgd.yaml": "name: sgd\nmomentum: 0.9\n",
    "optim/withsched.yaml": "defaults:\n  - sched: noam\n  - adam\nname: withsched\n",
    "optim/sched/noam.yaml": "warmup: 10\n",
    "optim/sched/cosine.yaml": "t_max: 5\n",
    "optim/global.yaml": "# @package _global_\noptim: {name: global}\nextra: 1\n",
    "optim/headed.yaml": "# @package model.opt\nname: headed\n",
    "pack.yaml": "defaults:\n  - optim@model.optimizer: sgd\n  - optional tp@model.ub:\n  - _self_\nmodel: {x: 1}\n",
    "nested.yaml": "defaults:\n  - optim: withsched\n  - override optim/sched: cosine\n  - _self_\n",
    "many.yaml": "defaults:\n  - optim: [adam, sgd]\n",
    "mandatory.yaml": "defaults:\n  - optim: ???\n",
    "glob.yaml": "defaults:\n  - optim: global\n  - _self_\nz: 1\n",
    "headed.yaml": "defaults:\n  - optim: headed\n  - _self_\nz: 1\n",
    "path.yaml": "defaults:\n  - optim/adam\n  - _self_\n",
    "absolute.yaml": "defaults:\n  - /optim@o: sgd\n  - _self_\n",
    "bare.yaml": "x: 1\n",
}
COMPOSITIONS = [
    ["config", []], ["implicit", []], ["selffirst", []], ["config", ["optim=sgd"]], ["config", ["optim=sgd", "optim.momentum=0.5"]],
    ["config", ["~optim"]], ["config", ["optim=nope"]], ["pack", []], ["pack", ["optim@model.optimizer=adam"]], ["nested", []],
    ["nested", ["optim/sched=noam"]], ["many", []], ["mandatory", []], ["mandatory", ["optim=adam"]], ["glob", []], ["headed", []], ["path", []],
    ["absolute", []], ["bare", ["+optim=adam"]], ["bare", ["optim=adam"]], ["bare", ["+optim@opt=sgd"]], ["bare", ["+optim/sched=noam"]],
]


def scalars():
    return [[s, attempt(lambda: OmegaConf.to_container(OmegaConf.create(f"v: {s}"))["v"])] for s in SCALARS]


def interpolations():
    cfg = OmegaConf.create(INTERPOLATIONS)
    out = []
    for key in cfg.keys():
        def get(key=key):
            v = cfg[key]
            return OmegaConf.to_container(v, resolve=True) if OmegaConf.is_config(v) else v
        out.append([key, attempt(get)])
    return out


def composed(directory, name, overrides):
    with initialize_config_dir(directory, version_base=None):
        return OmegaConf.to_container(compose(name, overrides=overrides), resolve=True)


def in_folder(files, cases):
    with tempfile.TemporaryDirectory() as d:
        for name, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(d, name)), exist_ok=True)
            open(os.path.join(d, name), "w").write(text)
        return [[n, o, attempt(lambda: composed(d, n, o))] for n, o in cases]


print(json.dumps({
    "scalars": scalars(),
    "interpolations": {"text": INTERPOLATIONS, "values": interpolations()},
    "overrides": {"text": OVERRIDE_BASE, "cases": in_folder({"base.yaml": OVERRIDE_BASE}, [["base", o] for o in OVERRIDES])},
    "groups": {"files": GROUPS, "cases": in_folder(GROUPS, COMPOSITIONS)},
}, indent=0))
