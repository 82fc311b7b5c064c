// SPDX-License-Identifier: Apache-2.0
// The style sheet of the report: two palettes, one column on a phone, light on paper. Good is blue and bad is orange,
// which colour-blind eyes tell apart; no meaning hangs on a colour alone.
#pragma once

namespace dinomaly::page {

inline constexpr const char* style = R"css(
:root {
  color-scheme: light;
  --page: #f3f5f8; --card: #ffffff; --ink: #17202d; --quiet: #586576; --rule: #dde3eb; --soft: #eef1f6;
  --accent: #2b5fd9; --good: #1c6cb3; --good-soft: #dcecfa; --bad: #b8500c; --bad-soft: #fdeadb;
  --image: #5546c9; --pixel: #0d8577; --mistake: #b01e3c; --mistake-soft: #fbe0e5;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --page: #0e131a; --card: #171f29; --ink: #e7ecf3; --quiet: #98a5b7; --rule: #2b3643; --soft: #1e2834;
    --accent: #84a9ff; --good: #6db4f4; --good-soft: #17344f; --bad: #ffa262; --bad-soft: #472c15;
    --image: #aaa0ff; --pixel: #4fd0c0; --mistake: #ff8fa3; --mistake-soft: #4a1c26;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 1160px; margin: 0 auto; padding: 44px 20px 72px; }
h1 { font-size: clamp(1.7rem, 4vw, 2.5rem); line-height: 1.2; letter-spacing: -.02em; margin: 0 0 .5em; }
h2 { font-size: 1.3rem; letter-spacing: -.01em; margin: 2.4em 0 .8em; }
h3 { font-size: 1.15rem; margin: 0; scroll-margin-top: 16px; }
h4 { font-size: .95rem; margin: 1.6em 0 .6em; }
a { color: var(--accent); text-underline-offset: 2px; }
button { font: inherit; color: inherit; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.summary { max-width: 46em; }
.summary p { margin: .6em 0; }
.summary .lead { font-size: 1.25rem; line-height: 1.45; font-weight: 600; }
.note { color: var(--quiet); font-size: .88rem; max-width: 54em; margin: .6em 0; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 14px; padding: 20px 22px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 14px; margin-top: 28px; }
.tile b { display: block; font-size: 2rem; line-height: 1.25; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile small { font-size: 1.05rem; font-weight: 500; color: var(--quiet); }
.tile span { color: var(--quiet); font-size: .88rem; line-height: 1.4; display: block; }

.wide { overflow-x: auto; padding: 6px 8px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide table { width: 100%; }
.wide tr > :first-child { position: sticky; left: 0; background: var(--card); }
th, td { padding: 8px 12px; text-align: right; border-bottom: 1px solid var(--rule); }
th { color: var(--quiet); font-weight: 500; font-size: .85rem; }
th:first-child, td:first-child { text-align: left; }
thead tr:not(:last-child) th { text-align: center; border-bottom: 0; padding-bottom: 0; }
tbody tr:last-child td { border-bottom: 0; }
tfoot td { border-top: 2px solid var(--rule); border-bottom: 0; font-weight: 650; }
tbody tr:hover, .wide tbody tr:hover > :first-child { background: var(--soft); }
th button { border: 0; background: none; padding: 4px; margin: -4px; cursor: pointer; font-weight: 500; color: inherit; }
th button::after { content: "\2195"; opacity: .35; margin-left: 4px; }
th[aria-sort] button { color: var(--ink); }
th[aria-sort="ascending"] button::after { content: "\2191"; opacity: 1; }
th[aria-sort="descending"] button::after { content: "\2193"; opacity: 1; }

details { margin: .8em 0; }
summary { cursor: pointer; color: var(--accent); font-size: .92rem; }
details > .card { margin-top: 10px; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 5px 22px; margin: 0; }
dl.words { margin: .8em 0; max-width: 54em; font-size: .92rem; }
dt { color: var(--quiet); }
dl.words dt { color: var(--ink); font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }

nav.classes { display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 14px; }
nav.classes a {
  border: 1px solid var(--rule); background: var(--card); border-radius: 99px; padding: 3px 13px; font-size: .9rem;
  text-decoration: none; color: var(--ink);
}
nav.classes b { color: var(--mistake); font-weight: 600; margin-left: 4px; }
.legend { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; color: var(--quiet); font-size: .88rem; margin: .6em 0; }
.legend .bar { width: 180px; height: 12px; border-radius: 6px; border: 1px solid var(--rule); }
.legend .line { display: inline-block; width: 26px; border-top: 3px solid var(--image); margin-right: 7px; vertical-align: middle; }
.legend .line.pixel { border-top-style: dashed; border-color: var(--pixel); }

svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--quiet); font-size: 12px; font-variant-numeric: tabular-nums; }
svg.run text { font-size: 17px; }
svg .grid { stroke: var(--rule); }
svg .axis { stroke: var(--quiet); }
svg polyline { fill: none; stroke-linejoin: round; stroke-width: 2.2; }
svg .faint { stroke: var(--accent); stroke-width: 1; opacity: .35; }
svg .curve { stroke: var(--accent); }
svg .image { stroke: var(--image); }
svg .pixel { stroke: var(--pixel); stroke-dasharray: 6 4; }
svg .threshold { stroke: var(--ink); stroke-width: 1.6; stroke-dasharray: 5 3; }
svg .good { fill: var(--good); }
svg .bad { fill: var(--bad); }
svg.curves text:first-child { font-size: 13px; font-weight: 600; fill: var(--ink); }

.class { margin-top: 20px; }
.scores-and-verdicts { display: grid; grid-template-columns: minmax(0, 1fr) max-content; gap: 10px 28px; align-items: center; margin-top: 14px; }
.verdicts caption { color: var(--quiet); font-size: .88rem; padding-bottom: 6px; text-align: left; }
.verdicts td { font-size: 1.25rem; font-weight: 650; text-align: center; min-width: 5.5em; border: 1px solid var(--rule); }
.verdicts thead td { border: 0; min-width: 0; }
.verdicts thead th { text-align: center; }
.verdicts thead th, .verdicts tbody th { border: 0; }
.verdicts tbody tr:last-child td { border-bottom: 1px solid var(--rule); }
.verdicts .right { background: var(--soft); }
.verdicts .mistake { background: var(--mistake-soft); color: var(--mistake); }
.verdicts .none { color: var(--quiet); font-weight: 500; }
.verdicts tbody tr:hover { background: none; }
.curve-row { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 10px 22px; margin-top: 18px; }
.runs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 14px; }

.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); gap: 16px; }
figure { margin: 0; border: 1px solid var(--rule); border-radius: 10px; overflow: hidden; break-inside: avoid; }
figure.wrong { border: 2px solid var(--mistake); }
.views { display: grid; grid-auto-columns: minmax(0, 1fr); grid-auto-flow: column; gap: 2px; background: var(--rule); }
.view { position: relative; padding: 0; border: 0; background: var(--soft); cursor: zoom-in; display: block; }
.view img { display: block; width: 100%; height: 100%; aspect-ratio: 1; object-fit: contain; }
.view span {
  position: absolute; left: 6px; bottom: 6px; padding: 0 7px; border-radius: 99px; font-size: .72rem; line-height: 1.6;
  background: rgb(0 0 0 / .6); color: #fff;
}
.view:focus-visible { outline-offset: -3px; }
figcaption { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; padding: 9px 12px; font-size: .86rem; }
figcaption .name { flex: 1 1 100%; overflow-wrap: anywhere; }
.score { font-variant-numeric: tabular-nums; color: var(--quiet); }
.chip { border-radius: 99px; padding: 1px 10px; font-weight: 600; white-space: nowrap; }
.chip.good { color: var(--good); background: var(--good-soft); }
.chip.bad { color: var(--bad); background: var(--bad-soft); }
.chip.right { color: var(--quiet); background: var(--soft); }
.chip.mistake { color: #fff; background: #b01e3c; }

dialog {
  border: 0; border-radius: 14px; padding: 16px; background: var(--card); color: var(--ink); width: min(96vw, 900px);
  max-height: 96vh; overflow: auto;
}
dialog::backdrop { background: rgb(4 8 14 / .8); }
.stage { position: relative; background: var(--soft); border-radius: 8px; overflow: hidden; }
.stage img { display: block; width: 100%; height: min(64vh, 820px); object-fit: contain; }
.step {
  position: absolute; top: 50%; translate: 0 -50%; width: 44px; height: 64px; border: 0; cursor: pointer;
  background: rgb(0 0 0 / .45); color: #fff; font-size: 2rem; line-height: 1;
}
.step[data-step="-1"] { left: 0; border-radius: 0 8px 8px 0; }
.step[data-step="1"] { right: 0; border-radius: 8px 0 0 8px; }
.strip { display: flex; gap: 8px; margin-top: 10px; }
.strip .view { width: 84px; cursor: pointer; border-radius: 6px; overflow: hidden; opacity: .65; }
.strip .view[aria-current="true"] { opacity: 1; box-shadow: 0 0 0 3px var(--accent); }
.strip .view span { display: none; }
dialog p { display: flex; gap: 12px; align-items: start; justify-content: space-between; margin: 10px 0 0; font-size: .9rem; }
dialog .close { border: 1px solid var(--rule); background: var(--soft); border-radius: 8px; padding: 3px 14px; cursor: pointer; }

@media (max-width: 760px) {
  .scores-and-verdicts { grid-template-columns: minmax(0, 1fr); }
  .curve-row { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 600px) {
  main { padding: 24px 12px 48px; }
  .card { padding: 14px; }
  .wide { padding: 4px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 10px; }
  .tile b { font-size: 1.6rem; }
  .views { grid-template-columns: 1fr 1fr; grid-auto-flow: row; }
  svg.run text, svg.scores text { font-size: 20px; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: 10px; }
  th, td { padding: 8px; }
  .verdicts td { min-width: 4em; }
}
@media print {
  body { background: #fff; font-size: 11pt; }
  main { max-width: none; padding: 0; }
  .card, figure, tr { break-inside: avoid; }
  .card.class { break-inside: auto; }
  nav.classes, th button::after, dialog { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace dinomaly::page
