// The newest training jobs: how far they are, how the loss fell, and what the gate said.

import { getTrainingJob, listTrainingJobs } from './api.js';
import { text } from './texts.js';

const SHOWN = 5;
const BUSY_MILLIS = 2000;
const IDLE_MILLIS = 30000;
const WORKING = new Set(['QUEUED', 'PREPARING', 'TRAINING', 'EVALUATING']);
const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 320;
const HEIGHT = 110;

const element = (id) => document.getElementById(id);

let timer;
let refreshes = 0;

/** Reads the jobs again and again; where there has never been one, nothing is shown. */
export async function refreshTraining() {
  clearTimeout(timer);
  const mine = ++refreshes;
  let wait = IDLE_MILLIS;
  try {
    const { jobs } = await listTrainingJobs(SHOWN);
    const newest = jobs.length > 0 ? await getTrainingJob(jobs[0].id) : undefined;
    if (mine !== refreshes) {
      return;
    }
    element('training').hidden = !newest;
    if (newest) {
      show(newest, jobs.slice(1));
      wait = WORKING.has(newest.state) ? BUSY_MILLIS : IDLE_MILLIS;
    }
  } catch (failure) {
    if (failure.status === 401 || mine !== refreshes) {
      return;
    }
  }
  timer = setTimeout(refreshTraining, wait);
}

export function stopTraining() {
  refreshes++;
  clearTimeout(timer);
}

function show(job, earlier) {
  const parts = [line('strong', `${job.adapter} · ${text('job' + job.state)}`)];
  if (WORKING.has(job.state) && job.progress && job.progress.total > 0) {
    const bar = document.createElement('progress');
    bar.max = job.progress.total;
    bar.value = job.progress.done;
    bar.setAttribute('aria-label', text('job' + job.state));
    parts.push(bar, line('span', `${job.progress.done} / ${job.progress.total}`, 'hint'));
  }
  if (job.losses.train.length > 1) {
    parts.push(plot(job.losses));
  }
  if (job.report) {
    parts.push(figures(job.report));
  }
  if (job.message) {
    parts.push(line('p', job.message, 'hint'));
  }
  element('training-newest').replaceChildren(...parts);
  element('training-earlier').replaceChildren(
    ...earlier.map((one) => line('li', `${new Date(one.createdAt).toLocaleString()} · ${one.adapter} · ${text('job' + one.state)}`, 'hint')),
  );
}

function line(name, content, kind) {
  const made = document.createElement(name);
  made.textContent = content;
  if (kind) {
    made.className = kind;
  }
  return made;
}

/** Both curves over the steps, the training loss as a line, the validation loss with its points. */
function plot({ train, validation }) {
  const all = [...train, ...validation];
  const last = Math.max(...all.map((point) => point.step));
  const high = Math.max(...all.map((point) => point.loss));
  const low = Math.min(...all.map((point) => point.loss));
  const x = (point) => (WIDTH * point.step) / Math.max(1, last);
  const y = (point) => 4 + ((HEIGHT - 8) * (high - point.loss)) / Math.max(1e-9, high - low);
  const svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', class: 'plot' });
  svg.setAttribute('aria-label', text('lossPlot', train[0].loss.toFixed(3), train.at(-1).loss.toFixed(3)));
  svg.append(shape('polyline', { points: points(train, x, y), class: 'train' }));
  if (validation.length > 0) {
    svg.append(shape('polyline', { points: points(validation, x, y), class: 'validation' }));
    for (const point of validation) {
      svg.append(shape('circle', { cx: x(point), cy: y(point), r: 2.5, class: 'validation' }));
    }
  }
  const figure = document.createElement('figure');
  figure.append(svg, line('figcaption', text('lossPlot', train[0].loss.toFixed(3), train.at(-1).loss.toFixed(3)), 'hint'));
  return figure;
}

function points(series, x, y) {
  return series.map((point) => `${x(point).toFixed(1)},${y(point).toFixed(1)}`).join(' ');
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) {
    made.setAttribute(attribute, value);
  }
  return made;
}

function figures(report) {
  const table = document.createElement('table');
  const head = table.createTHead().insertRow();
  for (const title of ['', text('champion'), text('candidate')]) {
    head.append(line('th', title));
  }
  const body = table.createTBody();
  for (const name of ['f1', 'exactMatch', 'rightRefusals', 'rightCitations', 'loss']) {
    const row = body.insertRow();
    row.append(line('th', text(name)));
    for (const side of [report.champion, report.candidate]) {
      const value = side[name];
      row.append(line('td', typeof value === 'number' ? value.toFixed(3) : '–'));
    }
  }
  return table;
}
