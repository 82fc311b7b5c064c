// SPDX-License-Identifier: Apache-2.0
// The script of the report: tables that sort, pictures that enlarge. The page needs neither to be read.
#pragma once

namespace dinomaly::page {

/// What an enlarged picture stands in.
inline constexpr const char* viewer = R"html(<dialog id="viewer" aria-label="Enlarged picture">
<div class="stage"><img alt=""><button type="button" class="step" data-step="-1" aria-label="previous">&#8249;</button>
<button type="button" class="step" data-step="1" aria-label="next">&#8250;</button></div>
<div class="strip"></div>
<p><span class="caption"></span><button type="button" class="close">close</button></p>
</dialog>
)html";

inline constexpr const char* script = R"js(
'use strict';
// --- tables: a column's button sorts, largest first, then the other way round; the dash of no value stays last
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    if (!('value' in cell.dataset)) return cell.textContent;
    return cell.dataset.value === '' ? null : Number(cell.dataset.value);
  };
  headers.forEach((header, column) => header.querySelector('button').addEventListener('click', () => {
    const rows = [...body.rows];
    const isText = rows.length > 0 && !('value' in rows[0].cells[column].dataset);
    const before = header.getAttribute('aria-sort');
    const rising = before ? before === 'descending' : isText;
    rows.sort((one, other) => {
      const a = key(one, column), b = key(other, column);
      if (a === null || b === null) return (a === null) - (b === null);
      const order = isText ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
      return rising ? order : -order;
    });
    headers.forEach(each => each.removeAttribute('aria-sort'));
    header.setAttribute('aria-sort', rising ? 'ascending' : 'descending');
    body.append(...rows);
  }));
}

// --- pictures: left and right go from view to view, up and down from part to part
const viewer = document.getElementById('viewer');
const large = viewer.querySelector('img'), strip = viewer.querySelector('.strip');
const figures = [...document.querySelectorAll('figure')];
const viewsOf = figure => [...figure.querySelectorAll('.view')];
const all = figures.flatMap(viewsOf);
let shown = 0;
const show = index => {
  shown = (index + all.length) % all.length;
  const figure = all[shown].closest('figure'), image = all[shown].querySelector('img');
  large.src = image.src;
  large.alt = image.alt;
  const section = figure.closest('section').querySelector('h3').textContent;
  const words = [...figure.querySelectorAll('figcaption span')].map(span => span.textContent);
  viewer.querySelector('.caption').textContent =
    [section, all[shown].querySelector('span').textContent, ...words].join(' \u00b7 ');
  strip.replaceChildren(...viewsOf(figure).map(view => {
    const button = view.cloneNode(true);
    button.setAttribute('aria-current', String(view === all[shown]));
    button.addEventListener('click', () => show(all.indexOf(view)));
    return button;
  }));
};
const nextPart = step => {
  const figure = all[shown].closest('figure');
  const place = viewsOf(figure).indexOf(all[shown]);
  const views = viewsOf(figures[(figures.indexOf(figure) + step + figures.length) % figures.length]);
  show(all.indexOf(views[Math.min(place, views.length - 1)]));
};
all.forEach((view, index) => view.addEventListener('click', () => {
  show(index);
  viewer.showModal();
}));
viewer.addEventListener('keydown', event => {
  const action = {
    ArrowLeft: () => show(shown - 1), ArrowRight: () => show(shown + 1),
    ArrowUp: () => nextPart(-1), ArrowDown: () => nextPart(1),
    Escape: () => viewer.close(),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
viewer.querySelectorAll('.step').forEach(button =>
  button.addEventListener('click', () => show(shown + Number(button.dataset.step))));
viewer.addEventListener('click', event => {
  if (event.target === viewer || event.target.matches('.close')) viewer.close();
});
)js";

}  // namespace dinomaly::page
