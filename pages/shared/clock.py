"""Seconds that pass on a page while the server is busy: the browser counts them by itself.

A server that told them would have to write to the page from within a model's pass.
"""

# The animated number needs its type, else browsers would jump from the first second to the last.
# The bracket before that is written as a code: for a plain one Streamlit drops the whole sheet.
CLOCK = r"""<span class="waited" role="timer" aria-label="seconds so far"></span><style>
@property --waited { syntax: "\3c integer>"; inherits: false; initial-value: 0; }
@keyframes waited { to { --waited: 36000; } }
.waited { animation: waited 36000s steps(36000, jump-end); counter-reset: waited var(--waited); }
.waited::after { content: counter(waited) " s"; }
</style>"""
