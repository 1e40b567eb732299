"""How a report looks: light or dark as the reader's system is, from a narrow phone to a wide screen."""

STYLESHEET = """
:root { color-scheme: light dark; --back: #fcfcfa; --card: #fff; --ink: #1c2024; --soft: #5b636b; --line: #dfe2e5;
  --c0: #2f6fb7; --c1: #d98a1f; --c2: #b3372f; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --card: #1c2024; --ink: #e6e9ec; --soft: #a0a8b0;
  --line: #343a40; --c0: #6aa5e6; --c1: #e6a94f; --c2: #e5736b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main { max-width: 1280px; margin: 0 auto; padding: 0 16px; }
h1 { margin: 28px 0 0; font-size: 30px; overflow-wrap: anywhere; }
h2 { margin: 40px 0 12px; font-size: 20px; overflow-wrap: anywhere; }
header p, figcaption, figure p, .axis, dt { color: var(--soft); }
header p, p { margin: 4px 0 12px; overflow-wrap: anywhere; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; }
.tiles div { flex: 1 1 150px; max-width: 260px; padding: 12px 16px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
.tiles b { display: block; font-size: 26px; line-height: 1.2; }
.tiles span { font-size: 14px; color: var(--soft); }
.beside { columns: 360px; column-gap: 12px; }
figure { margin: 0 0 16px; padding: 12px 16px; border: 1px solid var(--line); border-radius: 8px; min-width: 0;
  background: var(--card); }
.beside > * { margin-bottom: 12px; break-inside: avoid; }
figcaption { margin-bottom: 8px; font-size: 14px; font-weight: 600; overflow-wrap: anywhere; }
figure p { margin: 4px 0 0; font-size: 13px; }
figcaption i { display: inline-block; width: 11px; height: 11px; margin: 0 4px 0 12px; border-radius: 2px; }
.bars { display: grid; grid-template-columns: minmax(70px, max-content) minmax(60px, 1fr) max-content; gap: 4px 10px;
  align-items: center; font-size: 14px; }
.bars span { min-width: 0; overflow-wrap: anywhere; }
.bars span:nth-child(3n) { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.beside .bars { grid-template-columns: minmax(60px, 40%) minmax(40px, 1fr) max-content; }
svg { display: block; width: 100%; height: 14px; border-bottom: 1px solid var(--line); }
.tall svg { height: 110px; }
.axis { display: flex; justify-content: space-between; font-size: 13px; }
.c0 { fill: var(--c0); background: var(--c0); }
.c1 { fill: var(--c1); background: var(--c1); }
.c2 { fill: var(--c2); background: var(--c2); }
.wide { overflow-x: auto; margin-bottom: 16px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 6px 12px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th { font-weight: 600; color: var(--soft); white-space: nowrap; }
td { min-width: 110px; max-width: 420px; }
td.n { min-width: 0; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
details { margin-bottom: 8px; padding: 8px 16px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
summary { cursor: pointer; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(90px, max-content) 1fr; gap: 4px 16px; margin: 8px 0;
  font-size: 14px; }
dt { max-width: 240px; overflow-wrap: anywhere; }
dd { margin: 0; min-width: 0; max-height: 420px; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: plaintext; }
pre { margin: 0 0 12px; padding: 12px 16px; overflow-x: auto; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); font-size: 13px; }
@media (max-width: 560px) {
  dl { grid-template-columns: 1fr; } dd { margin-bottom: 8px; }
  .bars { grid-template-columns: minmax(60px, 36%) minmax(40px, 1fr) max-content; font-size: 13px; }
}
"""
