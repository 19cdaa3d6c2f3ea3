/**
 * What a page does: the choice of a theme, all numbers at once, and a slider that walks through the marks of a figure
 * and says what each is, by keys as well as by touch. Without scripts the page is whole: controls are made here alone.
 */

/** The script, in the browser's language. */
export const PAGE_SCRIPT = `
'use strict';
const make = (name, members, ...children) => {
  const element = Object.assign(document.createElement(name), members);
  element.append(...children);
  return element;
};
const controls = document.querySelector('.controls');
const themes = make('select', { id: 'theme' }, ...['auto', 'light', 'dark'].map((name) => make('option', {}, name)));
themes.addEventListener('change', () => { document.documentElement.dataset.theme = themes.value; });
controls.append(make('label', {}, 'Colours ', themes));
const numbers = make('button', { type: 'button' }, 'Show all numbers');
numbers.setAttribute('aria-pressed', 'false');
numbers.addEventListener('click', () => {
  const open = numbers.getAttribute('aria-pressed') !== 'true';
  numbers.setAttribute('aria-pressed', String(open));
  for (const details of document.querySelectorAll('figure details')) details.open = open;
});
controls.append(numbers);
for (const figure of document.querySelectorAll('figure')) {
  const marks = [...figure.querySelectorAll('svg title')].map((title) => title.parentNode);
  if (marks.length < 2) continue;
  const name = figure.querySelector('h3').textContent;
  const slider = make('input', { type: 'range', min: 0, max: marks.length, value: 0 });
  slider.setAttribute('aria-label', 'Walk through the marks of: ' + name);
  slider.setAttribute('aria-valuetext', 'none');
  const said = make('output', { textContent: marks.length + ' marks: point at one, or move the slider.' });
  let chosen;
  const choose = (mark) => {
    chosen?.classList.remove('chosen');
    chosen = mark;
    chosen?.classList.add('chosen');
    const text = mark === undefined ? 'none' : mark.querySelector('title').textContent;
    said.textContent = text;
    slider.setAttribute('aria-valuetext', text);
  };
  slider.addEventListener('input', () => { choose(marks[slider.value - 1]); });
  figure.querySelector('svg').addEventListener('pointerover', ({ target }) => {
    const mark = target.querySelector?.(':scope > title') ? target : undefined;
    if (mark === undefined) return;
    slider.value = marks.indexOf(mark) + 1;
    choose(mark);
  });
  figure.querySelector('figcaption').before(make('div', { className: 'explore' }, slider, said));
}
`.trim();
