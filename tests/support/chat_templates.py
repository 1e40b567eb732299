"""Chat templates of the forms that today's models bring, in short: same turns, tokens, switches and refusals."""

from typing import Any, NamedTuple

from infra.engines.common.chat_template import ChatTemplate


class Family(NamedTuple):
    """A family of models, by its template."""

    source: str
    """Its chat template."""
    added_tokens: tuple[str, ...]
    """Tokens that its tokeniser adds to those of the text."""
    bare: tuple[str, str, str]
    """Bare prefix of a user's turn, the blanks after it, and the token that ends it; empty: no token does."""
    layout: str = "system_user"
    """How a prompt is laid out for it."""
    reply_end: str = ""
    """Token that ends an assistant's turn."""
    special_tokens: dict[str, str] = {}
    """Named special tokens, as the template knows them."""

    def template(self) -> ChatTemplate:
        return ChatTemplate(self.source, self.special_tokens)


CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML_DEFAULT = (
    "{% for m in messages %}"
    "{% if loop.first and m.role != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
FAMILIES = {
    "smollm2": Family(
        CHATML_DEFAULT,
        CHATML_TOKENS,
        ("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n", "", "<|im_end|>"),
        reply_end="<|im_end|>",
    ),
    "qwen2.5": Family(
        "{%- if tools %}\n    {{- tools | tojson }}\n{%- else %}\n"
        "    {%- if messages[0]['role'] == 'system' %}\n"
        "        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
        "    {%- else %}\n        {{- '<|im_start|>system\\nBox it: \\\\boxed{}.<|im_end|>\\n' }}\n    {%- endif %}\n"
        "{%- endif %}\n{%- for message in messages %}\n"
        '    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or '
        '(message.role == "assistant" and not message.tool_calls) %}\n'
        "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n"
        "    {%- endif %}\n{%- endfor %}\n"
        "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n",
        CHATML_TOKENS,
        ("<|im_start|>system\nBox it: \\boxed{}.<|im_end|>\n<|im_start|>user\n", "", "<|im_end|>"),
        reply_end="<|im_end|>",
    ),
    "qwen3": Family(
        "{%- set ns = namespace(last=0) %}{%- for m in messages[::-1] %}"
        "{%- if m.role == 'user' %}{%- set ns.last = loop.index0 %}{%- break %}{%- endif %}{%- endfor %}"
        "{%- for m in messages %}{%- set content = m.content %}"
        "{%- if m.role == 'assistant' and '</think>' in content %}"
        "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}"
        "{{- '<|im_start|>' + m.role + '\\n' + content + '<|im_end|>\\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
        "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}"
        "{%- endif %}{%- endif %}",
        (*CHATML_TOKENS, "<think>", "</think>"),
        ("<|im_start|>user\n", "", "<|im_end|>"),
        reply_end="<|im_end|>",
    ),
    "llama3": Family(
        "{{- bos_token }}{%- if not date_string is defined %}"
        "{%- if strftime_now is defined %}{%- set date_string = strftime_now('%d %b %Y') %}"
        "{%- else %}{%- set date_string = '01 Jan 2020' %}{%- endif %}{%- endif %}"
        "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}"
        "{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}"
        "{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: ' + date_string + '\\n\\n' + system + "
        "'<|eot_id|>' }}"
        "{%- for m in messages %}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + "
        "m['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}",
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        (
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\n",
            "",
            "<|eot_id|>",
        ),
        reply_end="<|eot_id|>",
        special_tokens={"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
    ),
    "mistral-v0.1": Family(
        "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles must alternate: user, assistant, user') }}{% endif %}"
        "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
        "{% elif m['role'] == 'assistant' %}{{ m['content'] + eos_token }}"
        "{% else %}{{ raise_exception('No such role') }}{% endif %}{% endfor %}",
        ("<unk>", "<s>", "</s>"),
        ("<s>[INST]", " ", ""),
        layout="user",
        reply_end="</s>",
        special_tokens={"bos_token": "<s>", "eos_token": "</s>"},
    ),
    "mistral-v0.3": Family(
        "{{- bos_token }}{%- for m in messages if m.role != 'system' %}{%- if m.role == 'user' %}"
        "{%- if loop.last and messages[0].role == 'system' %}"
        "{{- '[INST] ' + messages[0].content + '\\n\\n' + m.content + '[/INST]' }}"
        "{%- else %}{{- '[INST] ' + m.content + '[/INST]' }}{%- endif %}"
        "{%- else %}{{- ' ' + m.content | trim + eos_token }}{%- endif %}{%- endfor %}",
        ("<s>", "</s>", "[INST]", "[/INST]"),
        ("<s>[INST]", " ", "[/INST]"),
        reply_end="</s>",
        special_tokens={"bos_token": "<s>", "eos_token": "</s>"},
    ),
    "gemma-2": Family(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for message in messages %}"
        "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}"
        "{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
        ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "\n\n"),
        ("<bos><start_of_turn>user\n", "", "<end_of_turn>"),
        layout="user",
        reply_end="<end_of_turn>",
        special_tokens={"bos_token": "<bos>", "eos_token": "<eos>"},
    ),
    "deepseek": Family(
        "{{ bos_token }}{% for m in messages %}"
        "{% if m['role'] == 'user' %}{{ 'User: ' + m['content'] + '\n\n' }}"
        "{% elif m['role'] == 'assistant' %}{{ 'Assistant: ' + m['content'] + eos_token }}"
        "{% elif m['role'] == 'system' %}{{ m['content'] + '\n\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
        ("<begin>", "<end>"),
        ("<begin>User:", " ", ""),
        reply_end="<end>",
        special_tokens={"bos_token": "<begin>", "eos_token": "<end>"},
    ),
    "r1-distill": Family(
        "{% set ns = namespace(system='') %}{%- for m in messages %}{%- if m['role'] == 'system' %}"
        "{% set ns.system = m['content'] %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system }}"
        "{%- for m in messages %}{%- if m['role'] == 'user' %}{{ '<|User|>' + m['content'] }}{%- endif %}"
        "{%- if m['role'] == 'assistant' %}{% set content = m['content'] %}{% if '</think>' in content %}"
        "{% set content = content.split('</think>')[-1] %}{% endif %}"
        "{% generation %}{{ '<|Assistant|>' + content + eos_token }}{% endgeneration %}{%- endif %}{%- endfor -%}"
        "{% if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}",
        ("<begin>", "<end>", "<|User|>", "<|Assistant|>", "<think>", "</think>"),
        ("<begin><|User|>", "", "<|Assistant|>"),
        reply_end="<end>",
        special_tokens={"bos_token": "<begin>", "eos_token": "<end>"},
    ),
    "phi-3": Family(
        "{% for message in messages %}{% if message['role'] == 'system' %}"
        "{{ '<|system|>\n' + message['content'] + '<|end|>\n' }}{% elif message['role'] == 'user' %}"
        "{{ '<|user|>\n' + message['content'] + '<|end|>\n' }}{% elif message['role'] == 'assistant' %}"
        "{{ '<|assistant|>\n' + message['content'] + '<|end|>\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        ("<|user|>\n", "", "<|end|>"),
        reply_end="<|end|>",
        special_tokens={"bos_token": "<s>", "eos_token": "<|endoftext|>"},
    ),
}
"""The forms of ten families, of which two refuse a system turn and one opens the thought itself."""
DROPS_SYSTEM = CHATML_DEFAULT.replace("{{ '<|im_start|>' +", "{% if m.role != 'system' %}{{ '<|im_start|>' +").replace(
    "'\n' }}{% endfor %}", "'\n' }}{% endif %}{% endfor %}"
)
"""A template that leaves a system turn out without a word."""


def bare_template(prefix: str, leading_blanks: str = "") -> Any:
    """The template of a model that was trained to write questions, as `tasks.training.question_format` saves it."""
    import json

    turn = f"{json.dumps(leading_blanks)} + messages[-1]['content']"
    return f"{{{{ {json.dumps(prefix, ensure_ascii=False)} + ('' if add_generation_prompt else {turn}) }}}}"
