// Starts the page: first the key, then the desk.

import { key, listDocuments, whenUnauthorized } from './api.js';
import { startAsking, stopAsking } from './ask.js';
import { refresh, startDocuments, stopRefreshing } from './documents.js';
import { startPassages } from './passage.js';
import { fillTexts, text } from './texts.js';
import { refreshTraining, stopTraining } from './training.js';

const element = (id) => document.getElementById(id);

function showGate(message) {
  stopRefreshing();
  stopAsking();
  stopTraining();
  for (const dialog of document.querySelectorAll('dialog[open]')) {
    dialog.close();
  }
  element('desk').hidden = true;
  element('sign-out').hidden = true;
  element('gate').hidden = false;
  element('key-error').textContent = message;
  element('key-error').hidden = !message;
  element('key').focus();
}

function showDesk() {
  element('gate').hidden = true;
  element('desk').hidden = false;
  element('sign-out').hidden = false;
  element('question').focus();
  refresh();
  refreshTraining();
}

async function enterWith(value) {
  key.set(value);
  try {
    await listDocuments(1);
    showDesk();
  } catch (failure) {
    if (failure.status !== 401) {
      // The key may well be right: the desk shows what is wrong, and recovers by itself.
      showDesk();
    }
  }
}

fillTexts();
startAsking();
startDocuments();
startPassages();

whenUnauthorized(() => {
  key.forget();
  showGate(text('keyWrong'));
});
element('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const value = element('key').value.trim();
  element('key').value = '';
  if (value) {
    enterWith(value);
  }
});
element('sign-out').addEventListener('click', () => {
  key.forget();
  showGate('');
});
window.addEventListener('hashchange', () => {
  if (key.takeFromAddress()) {
    enterWith(key.get());
  }
});

key.takeFromAddress();
if (key.get()) {
  enterWith(key.get());
} else {
  showGate('');
}
