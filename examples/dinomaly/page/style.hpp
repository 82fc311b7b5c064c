// SPDX-License-Identifier: Apache-2.0
// The style sheet of the report: two palettes, one column on a phone, cards side by side where there is room.
#pragma once

namespace dinomaly::page {

inline constexpr const char* style = R"css(
:root {
  color-scheme: light dark;
  --page: #f4f6f9; --card: #ffffff; --ink: #18202c; --quiet: #5d6878; --rule: #dfe4ec;
  --accent: #2f5fd0; --good: #1d7f55; --good-soft: #ddf3e8; --bad: #b8431f; --bad-soft: #fbe6dd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f141b; --card: #18202a; --ink: #e6ebf2; --quiet: #96a3b5; --rule: #2b3644;
    --accent: #7ea6ff; --good: #57cf9b; --good-soft: #17382b; --bad: #ff9a73; --bad-soft: #43251a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 1080px; margin: 0 auto; padding: 40px 20px 64px; }
h1 { font-size: clamp(1.7rem, 4vw, 2.5rem); line-height: 1.2; letter-spacing: -.02em; margin: 0 0 .5em; }
h2 { font-size: 1.25rem; margin: 2.4em 0 .8em; }
h3 { font-size: 1.05rem; margin: 0; }
.summary { max-width: 44em; }
.summary p { margin: .5em 0; }
.note { color: var(--quiet); font-size: .88rem; max-width: 50em; margin: .6em 0; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 14px; padding: 18px 20px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px; margin-top: 28px; }
.tile b { display: block; font-size: 2rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); font-size: .88rem; }
.wide { overflow-x: auto; padding: 6px 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 9px 12px; text-align: right; border-bottom: 1px solid var(--rule); }
th { color: var(--quiet); font-weight: 500; font-size: .85rem; }
th:first-child, td:first-child { text-align: left; }
thead tr:first-child th { text-align: center; border-bottom: 0; padding-bottom: 0; }
tbody tr:last-child td { border-bottom: 0; font-weight: 650; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--quiet); font-size: 12px; }
svg .grid { stroke: var(--rule); }
svg .faint { fill: none; stroke: var(--accent); opacity: .3; }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2.2; stroke-linejoin: round; }
svg .threshold { stroke: var(--ink); stroke-dasharray: 4 3; }
svg circle { opacity: .75; }
svg .good { fill: var(--good); }
svg .bad { fill: var(--bad); }
.class { margin-top: 18px; }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 16px; margin-top: 14px; }
figure { margin: 0; border: 1px solid var(--rule); border-radius: 10px; overflow: hidden; }
.views { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1px; background: var(--rule); }
.views img, .views i { display: block; width: 100%; height: 100%; object-fit: contain; aspect-ratio: 1; background: var(--page); }
.views i { display: grid; place-items: center; color: var(--quiet); font-size: .85rem; }
figcaption { display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: center; padding: 9px 12px; font-size: .88rem; }
figcaption .name { flex: 1 1 8em; overflow-wrap: anywhere; }
.score { font-variant-numeric: tabular-nums; color: var(--quiet); }
.chip { border-radius: 99px; padding: 1px 10px; font-weight: 600; }
.chip.good { color: var(--good); background: var(--good-soft); }
.chip.bad { color: var(--bad); background: var(--bad-soft); }
.wrong { outline: 2px solid var(--bad); outline-offset: -1px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--quiet); font-size: .88rem; }
.dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .4em; }
.dot.good { background: var(--good); }
.dot.bad { background: var(--bad); }
@media (max-width: 600px) {
  main { padding: 24px 12px 48px; }
  .card { padding: 14px; }
  .wide { padding: 4px; }
  .tiles { grid-template-columns: 1fr 1fr; }
  svg text { font-size: 20px; }
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: 8px; }
}
)css";

}  // namespace dinomaly::page
