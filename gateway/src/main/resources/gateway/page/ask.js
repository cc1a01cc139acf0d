// The conversation: a question, its streamed answer, and the sources that it rests on.

import { ask, giveFeedback } from './api.js';
import { showPassage } from './passage.js';
import { text } from './texts.js';

const element = (id) => document.getElementById(id);
const MARKER = /\[(\d{1,3})\]/g;

let running;

export function startAsking() {
  const question = element('question');
  element('ask-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const words = question.value.trim();
    if (words && !running) {
      question.value = '';
      answer(words);
    }
  });
  question.addEventListener('keydown', (event) => {
    // Enter that ends the input of a Japanese word must not send the question.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      element('ask-form').requestSubmit();
    }
  });
  element('stop').addEventListener('click', () => running?.abort());
}

export function stopAsking() {
  running?.abort();
  element('answers').replaceChildren();
  element('nothing-yet').hidden = false;
}

async function answer(question) {
  running = new AbortController();
  setBusy(true);
  const card = newCard(question);
  element('answers').prepend(card.article);
  element('nothing-yet').hidden = true;
  try {
    const response = await ask(
      question,
      (delta) => {
        card.status.textContent = text('writing');
        card.words.append(delta);
      },
      running.signal,
    );
    finish(card, question, response);
  } catch (failure) {
    if (failure.name === 'AbortError') {
      card.status.textContent = text('stopped');
    } else {
      card.status.hidden = true;
      const notice = document.createElement('p');
      notice.className = 'notice bad';
      notice.setAttribute('role', 'alert');
      notice.textContent = failure.message;
      card.article.append(notice);
    }
  } finally {
    card.article.setAttribute('aria-busy', 'false');
    running = undefined;
    setBusy(false);
  }
}

function setBusy(busy) {
  element('stop').hidden = !busy;
  element('ask').disabled = busy;
}

function newCard(question) {
  const article = document.createElement('article');
  article.className = 'card answer';
  article.setAttribute('aria-live', 'polite');
  article.setAttribute('aria-busy', 'true');
  const heading = document.createElement('h2');
  heading.textContent = question;
  const words = document.createElement('p');
  words.className = 'text';
  const status = document.createElement('p');
  status.className = 'hint status';
  status.textContent = text('searching');
  article.append(heading, words, status);
  return { article, words, status };
}

function finish(card, question, response) {
  card.status.remove();
  if (!response.answered) {
    card.article.classList.add('unanswered');
    const notice = document.createElement('p');
    notice.className = 'notice';
    const title = document.createElement('strong');
    title.textContent = text('unansweredTitle');
    const hint = document.createElement('span');
    hint.textContent = text('unansweredHint');
    notice.append(title, hint);
    card.words.before(notice);
  }
  const byMarker = new Map(response.citations.map((citation) => [citation.marker, citation]));
  showWithMarkers(card.words, response.answer, byMarker);
  if (response.citations.length > 0) {
    card.article.append(sourceList(response.citations));
  }
  const { model, adapter } = response.provenance;
  const seconds = (response.timings.totalMillis / 1000).toFixed(1);
  const foot = document.createElement('footer');
  foot.className = 'row foot';
  const provenance = document.createElement('span');
  provenance.className = 'hint';
  provenance.textContent = adapter
    ? text('provenanceAdapter', model, adapter, seconds)
    : text('provenance', model, seconds);
  foot.append(provenance, feedback(question, response));
  card.article.append(foot);
}

function feedback(question, response) {
  const box = document.createElement('div');
  box.className = 'feedback';
  const words = document.createElement('span');
  words.className = 'hint';
  words.setAttribute('role', 'status');
  words.textContent = text('helpful');
  box.append(words);
  const buttons = [
    ['up', 'yes'],
    ['down', 'no'],
  ].map(([rating, label]) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'quiet small';
    button.textContent = text(label);
    button.addEventListener('click', async () => {
      buttons.forEach((b) => (b.disabled = true));
      try {
        await giveFeedback(question, response, rating);
        buttons.forEach((b) => b.remove());
        words.textContent = text('thanks');
      } catch (failure) {
        buttons.forEach((b) => (b.disabled = false));
        words.textContent = failure.message;
      }
    });
    return button;
  });
  box.append(...buttons);
  return box;
}

/** Writes the answer with each [n] that names a source as a button. */
function showWithMarkers(target, answerText, byMarker) {
  const parts = [];
  let from = 0;
  for (const match of answerText.matchAll(MARKER)) {
    const citation = byMarker.get(Number(match[1]));
    if (citation) {
      from = pushMarker(parts, answerText, from, match, citation);
    }
  }
  parts.push(answerText.slice(from));
  target.replaceChildren(...parts);
}

/** A marker stays with the word before it, and the full stop after it. */
function pushMarker(parts, answerText, from, match, citation) {
  const end = match.index + match[0].length;
  parts.push(answerText.slice(from, match.index).replace(/ $/, ''), '\u2060', marker(citation));
  if (/[.,;:!?)。、]/.test(answerText.charAt(end))) {
    parts.push('\u2060');
  }
  return end;
}

function marker(citation) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'marker';
  button.textContent = citation.marker;
  button.setAttribute('aria-label', text('showSource', citation.marker, citation.title || citation.documentId));
  button.addEventListener('click', () => showPassage(citation));
  return button;
}

function sourceList(citations) {
  const section = document.createElement('section');
  section.className = 'sources';
  const heading = document.createElement('h3');
  heading.textContent = text('sources');
  const list = document.createElement('ul');
  for (const citation of citations) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'source';
    const number = document.createElement('span');
    number.className = 'number';
    number.textContent = citation.marker;
    const words = document.createElement('span');
    words.className = 'words';
    const title = document.createElement('span');
    title.className = 'title';
    title.textContent = citation.title || citation.documentId;
    const quote = document.createElement('span');
    quote.className = 'quote';
    quote.textContent = citation.quote;
    words.append(title, quote);
    button.append(number, words);
    button.addEventListener('click', () => showPassage(citation));
    item.append(button);
    list.append(item);
  }
  section.append(heading, list);
  return section;
}
