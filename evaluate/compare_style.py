"""How a page of results looks, by light and in the dark, on a wall and on a telephone: its style sheet."""

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --line: #d8dee4; --page: #ffffff; --panel: #f6f8fa;
  --mark: #0a6ba8; --wrong: #b35900; --tone: 40%; --depth: 60%; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9aa5b1; --line: #363d46; --page: #12161b; --panel: #1a2027;
    --mark: #6cb6ff; --wrong: #f0a45d; --tone: 66%; --depth: 38%; }
}
* { box-sizing: border-box; }
body { margin: 2rem auto 4rem; max-width: 74rem; padding: 0 1.25rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--page); overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.2; } h1 { margin-bottom: 0.5rem; } h2 { margin: 3.5rem 0 0.5rem; }
h3 { margin: 2rem 0 0.5rem; font-size: 1.05rem; }
p { margin: 0.5rem 0; } .note { color: var(--soft); font-size: 0.9rem; } a { color: var(--mark); }
.apart { border-left: 4px solid var(--mark); padding-left: 1rem; }
nav { background: var(--panel); border-radius: 6px; padding: 0.25rem 1rem; margin: 1rem 0; }
summary { cursor: pointer; margin: 0.5rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; margin: 0.5rem 0; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: 0.35rem 1rem 0.35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; font-size: 0.9rem; vertical-align: bottom; } tbody th { font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
svg { display: block; width: 100%; overflow: visible; } svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.axis { stroke: var(--line); } .chance { stroke: var(--soft); stroke-dasharray: 4 4; }

.scores { margin-top: 1rem; } .scores th, .scores td { vertical-align: middle; }
.scores .name { overflow-wrap: anywhere; min-width: 9rem; } .scores .plot { width: 34%; padding: 0 1.5rem 0 0.5rem; }
.scores svg { height: 2.1rem; } .scores thead svg { height: 1.2rem; } .scores .faint { color: var(--soft); font-weight: 400; }
.interval { stroke: var(--mark); stroke-width: 6; opacity: 0.4; } .value { fill: var(--mark); stroke: var(--mark); }
.untrained .value { fill: var(--page); stroke-width: 2; } .untrained .interval { opacity: 0.25; }
.told { min-width: 44rem; font-size: 0.9rem; } .told td:first-child { min-width: 10rem; }

.classes { width: auto; } .classes .number { padding: 0.25rem 0.75rem; } .classes tbody th { white-space: nowrap; }
.share { background: color-mix(in srgb, var(--mark) calc(var(--share) * var(--depth)), transparent); text-align: right;
  padding: 0.25rem 0.5rem; min-width: 2.75rem; }
.upright { writing-mode: vertical-rl; rotate: 180deg; text-align: left; padding: 0.25rem; white-space: nowrap;
  max-height: 14rem; overflow: hidden; text-overflow: ellipsis; }
th:has(> .upright) { padding: 0 0.35rem 0.35rem; } .upright { margin-left: auto; }

.curves { height: 20rem; padding: 1rem 1.5rem 2rem 3rem; } .curves svg { height: 100%; }
.curve { --color: hsl(var(--hue) 65% var(--tone)); } .curve line { stroke: var(--color); stroke-width: 2; }
.curve .spread { stroke-width: 4; opacity: 0.45; } .curve circle { fill: var(--color); }
.legend { list-style: none; padding: 0; margin: 0.5rem 0 0; display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; }
.legend i { display: inline-block; width: 1rem; height: 0.25rem; margin-right: 0.5rem; vertical-align: middle;
  background: hsl(var(--hue) 65% var(--tone)); }

.map { aspect-ratio: var(--aspect); max-width: calc(30rem * var(--aspect)); margin: 0.5rem 1rem 2rem 3.5rem; }
.map svg { background: var(--panel); height: 100%; }
.ramp { display: inline-block; width: 8rem; height: 0.7em; margin: 0 0.3rem; border-radius: 2px;
  background: linear-gradient(to right in oklab, var(--wrong), var(--mark)); }
.place { fill: color-mix(in oklab, var(--mark) calc(var(--right) * 100%), var(--wrong)); fill-opacity: 0.8; }
.scale { stroke: var(--text); stroke-width: 2; }

.pictures { display: grid; gap: 0.75rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 34rem), 1fr)); }
.asked { display: flex; gap: 0.6rem; overflow-x: auto; padding-bottom: 0.5rem; }
figure { margin: 0; width: 5rem; flex: none; font-size: 0.75rem; line-height: 1.3; overflow-wrap: anywhere; }
figure img { width: 5rem; height: 5rem; object-fit: cover; display: block; border-radius: 4px; margin-bottom: 0.25rem; }
.asked figure:first-child { border-right: 1px solid var(--line); padding-right: 0.5rem; width: 5.9rem; }
.right { color: var(--mark); } .wrong { color: var(--wrong); }

@media (max-width: 46rem) {
  body { margin-top: 1rem; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 0.5rem; }
  .classes { font-size: 0.85rem; } .classes tbody th { white-space: normal; max-width: 7rem; }
  .scores, .scores tbody, .scores thead { display: block; } .scores tr { display: grid; grid-template-columns: 1fr auto; }
  .scores thead th, .scores .features { display: none; } .scores thead th.plot { display: block; }
  .scores th, .scores td { border: 0; padding: 0.1rem 0; } .scores .plot { width: auto; grid-column: 1 / -1; padding: 0 1rem; }
  .scores tbody tr { border-bottom: 1px solid var(--line); padding: 0.4rem 0; }
  .scores td.number { text-align: left; } .scores td.score { text-align: right; font-weight: 600; }
  .scores td.faint:not(.score), .scores td.difference { font-size: 0.85rem; grid-row: 3; }
  .scores td.difference { text-align: right; }
}
"""
"""Colours are two for right and wrong that colour-blind readers tell apart, and hues for curves."""
