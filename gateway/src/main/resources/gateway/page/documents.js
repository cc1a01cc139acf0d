// The shelf: uploads in progress, and the documents with where each stands.

import { deleteDocument, listDocuments, uploadFile } from './api.js';
import { text } from './texts.js';

const PAGE = 50;
const MOST = 200;
const PARALLEL_UPLOADS = 3;
const BUSY_MILLIS = 1200;
const IDLE_MILLIS = 15000;
const WORKING = new Set(['RECEIVED', 'PARSED', 'EMBEDDED']);

const element = (id) => document.getElementById(id);

let shown = PAGE;
let timer;
let refreshes = 0;
let lastRows = '';
let uploading = 0;
const queue = [];

export function startDocuments() {
  const drop = element('drop');
  element('files').addEventListener('change', (event) => {
    addFiles(event.target.files);
    event.target.value = '';
  });
  for (const name of ['dragenter', 'dragover']) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add('over');
    });
  }
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    addFiles(event.dataTransfer.files);
  });
  // A file dropped beside the box must not replace the page.
  for (const name of ['dragover', 'drop']) {
    window.addEventListener(name, (event) => event.preventDefault());
  }
  element('more').addEventListener('click', () => {
    shown = Math.min(shown + PAGE, MOST);
    refresh();
  });
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !element('desk').hidden) {
      refresh();
    }
  });
}

/** Reads the list again, and goes on reading it: often while something is on its way, seldom otherwise. */
export async function refresh() {
  clearTimeout(timer);
  const mine = ++refreshes;
  let wait = IDLE_MILLIS;
  try {
    const page = await listDocuments(shown);
    if (mine !== refreshes) {
      return;
    }
    showDocuments(page);
    showError('');
    if (uploading > 0 || page.documents.some((d) => WORKING.has(d.state) || d.state === 'DELETED')) {
      wait = BUSY_MILLIS;
    }
  } catch (failure) {
    if (failure.status === 401 || mine !== refreshes) {
      return;
    }
    showError(failure.message);
    wait = BUSY_MILLIS * 4;
  }
  if (!document.hidden) {
    timer = setTimeout(refresh, wait);
  }
}

export function stopRefreshing() {
  refreshes++;
  clearTimeout(timer);
}

function showError(message) {
  element('documents-error').textContent = message;
  element('documents-error').hidden = !message;
}

function say(message) {
  element('documents-status').textContent = message;
}

function showDocuments(page) {
  element('document-count').textContent = text('documentCount', page.total);
  element('no-documents').hidden = page.documents.length > 0;
  element('more').hidden = !page.next || shown >= MOST;
  // An unchanged list is left alone, so that focus and selection in it survive the next reading.
  const rows = JSON.stringify(page.documents);
  if (rows === lastRows) {
    return;
  }
  lastRows = rows;
  const focused = document.activeElement?.dataset?.id;
  element('documents').replaceChildren(...page.documents.map(documentRow));
  if (focused) {
    element('documents').querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }
}

function documentRow(view) {
  const title = view.title || view.id;
  const row = document.createElement('li');
  row.className = `document ${view.state.toLowerCase()}`;

  const words = document.createElement('div');
  words.className = 'words';
  const name = document.createElement('span');
  name.className = 'title';
  name.textContent = title;
  name.title = view.id;
  const state = document.createElement('span');
  state.className = 'state';
  state.textContent = text(view.state, view.chunks);
  words.append(name, state);
  if (view.error) {
    const error = document.createElement('span');
    error.className = 'error';
    error.textContent = view.error;
    words.append(error);
  }
  row.append(words);

  const remove = document.createElement('button');
  remove.type = 'button';
  remove.className = 'quiet small';
  remove.dataset.id = view.id;
  remove.textContent = text('delete');
  remove.setAttribute('aria-label', text('deleteNamed', title));
  remove.disabled = view.state === 'DELETED';
  remove.addEventListener('click', () => askToDelete(view.id, title));
  row.append(remove);
  return row;
}

function askToDelete(id, title) {
  const dialog = element('confirm');
  element('confirm-question').textContent = text('deleteQuestion', title);
  dialog.returnValue = 'no';
  dialog.onclose = async () => {
    if (dialog.returnValue !== 'yes') {
      return;
    }
    try {
      await deleteDocument(id);
      say(text('deleted', title));
      await refresh();
    } catch (failure) {
      showError(failure.message);
    }
  };
  dialog.showModal();
}

function addFiles(files) {
  for (const file of files) {
    const row = uploadRow(file.name);
    element('uploads').append(row.item);
    queue.push({ file, row });
  }
  startUploads();
}

function startUploads() {
  while (uploading < PARALLEL_UPLOADS && queue.length > 0) {
    uploading++;
    upload(queue.shift()).finally(() => {
      uploading--;
      startUploads();
      refresh();
    });
  }
}

async function upload({ file, row }) {
  row.bar.value = 0;
  row.state.textContent = text('uploading', 0);
  try {
    await uploadFile(file, (share) => {
      row.bar.value = share;
      row.state.textContent = text('uploading', Math.round(share * 100));
    });
    row.item.remove();
    say(text('uploaded', file.name));
  } catch (failure) {
    row.item.classList.add('failed');
    row.bar.remove();
    row.state.textContent = text('FAILED');
    row.error.textContent = failure.message;
    row.dismiss.hidden = false;
  }
}

function uploadRow(fileName) {
  const item = document.createElement('li');
  item.className = 'document';
  const words = document.createElement('div');
  words.className = 'words';
  const name = document.createElement('span');
  name.className = 'title';
  name.textContent = fileName;
  const state = document.createElement('span');
  state.className = 'state';
  state.textContent = text('waiting');
  const error = document.createElement('span');
  error.className = 'error';
  error.setAttribute('role', 'alert');
  const bar = document.createElement('progress');
  bar.max = 1;
  bar.setAttribute('aria-label', fileName);
  words.append(name, state, error, bar);
  const dismiss = document.createElement('button');
  dismiss.type = 'button';
  dismiss.className = 'quiet small';
  dismiss.textContent = text('dismiss');
  dismiss.hidden = true;
  dismiss.addEventListener('click', () => item.remove());
  item.append(words, dismiss);
  return { item, state, error, bar, dismiss };
}
