"""Conversations as jinja2 writes them in transformers 5: python test/golden/scripts/chat_templates.py test/golden/chat_templates.json

Templates of our own, in the manner of what models carry: ChatML, turns with trimming, calls of tools, instructions in brackets.
"""
import json
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

TEMPLATES = {
    "chatml": "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "headers": "{% for message in messages %}\n    {% set content = '<|header|>' + message['role'] + '<|/header|>\n\n' + message['content'] | trim + '<|eot|>' %}\n    {% if loop.index0 == 0 %}\n        {% set content = bos_token + content %}\n    {% endif %}\n    {{- content }}\n{% endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|header|>assistant<|/header|>\n\n' }}\n{%- endif %}",
    "brackets": "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}{%- set rest = messages[1:] %}{%- else %}{%- set rest = messages %}{%- endif %}{{- bos_token }}{%- for m in rest %}{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{- raise_exception('roles must alternate') }}{%- endif %}{%- if m.role == 'user' %}{{- ' [INST] ' + (system + '\n\n' if loop.first and system is defined else '') + m.content + ' [/INST]' }}{%- else %}{{- ' ' + m.content + eos_token }}{%- endif %}{%- endfor %}",
    "thoughts": "{%- set ns = namespace(last=messages|length - 1) %}{%- for m in messages[::-1] %}{%- set i = (messages|length - 1) - loop.index0 %}{%- if ns.last == messages|length - 1 and m.role == 'user' %}{%- set ns.last = i %}{%- endif %}{%- endfor %}{%- for m in messages %}{%- set content = m.content if m.content is string else '' %}{%- if '</think>' in content %}{%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- if loop.index0 > ns.last %}{{- '<think>' + thought.strip('\n ') + '</think>' }}{%- endif %}{%- endif %}{{- '<' + m.role|upper + '>' + content }}{%- if m.tool_calls %}{%- for call in m.tool_calls %}{{- '\n' + call.function.name + ' ' + call.function.arguments|tojson }}{%- endfor %}{%- endif %}{{- '\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<ASSISTANT>' }}{%- if enable_thinking is defined and not enable_thinking %}{{- '<think></think>' }}{%- endif %}{%- endif %}",
    "loops": "{% macro turn(m, i=0) %}{{ i }}:{{ m.role[0] }}{{ '%' }}{% endmacro %}{% for m in messages if m.role != 'system' %}{% if loop.index == 2 %}{% continue %}{% endif %}{{ turn(m, loop.index) }}{% if loop.last %}!{% endif %}{{ m.content|length }}{% else %}none{% endfor %}{{ messages|map(attribute='role')|join(', ') }} {{ messages|selectattr('role', 'equalto', 'user')|list|length }} {{ {'a': 1, 'é': [none, true, 1.5]}|tojson }} {{ 7 // 2 }} {{ 'y' if 'x' in 'xy' and not false }}{% if add_generation_prompt %}>{% endif %}",
}
CONVERSATIONS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [{"role": "system", "content": "You are kind."}, {"role": "user", "content": " Hi \n"}, {"role": "assistant", "content": "  \n\n  Hello!\n\n "}, {"role": "user", "content": "日本?\n\n"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>\nhm\n\n</think>\n\n  b "}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "<think>\n x \n</think>\n\n\n d"}],
    [{"role": "assistant", "content": "first"}, {"role": "user", "content": "second"}],
    [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"x": 1.5, "y": None, "z": [True, "é <b> \"q\""]}}}]}, {"role": "tool", "content": "7"}],
]
out = []
for name, source in TEMPLATES.items():
    template = _compile_jinja_template(source)
    for messages in CONVERSATIONS:
        for prompt in (False, True):
            try:
                text = template.render(messages=messages, add_generation_prompt=prompt, bos_token="<BOS>", eos_token="<EOS>")
            except Exception:
                text = None
            out.append({"name": name, "template": source, "messages": messages, "prompt": prompt, "text": text})
with open(sys.argv[1], "w", encoding="utf8") as file:
    json.dump(out, file, ensure_ascii=False, separators=(",", ":"))
print(len(out), sum(case["text"] is None for case in out))
