// The passage behind a citation, with the quoted words marked.

import { getChunk } from './api.js';
import { text } from './texts.js';

const element = (id) => document.getElementById(id);

export function startPassages() {
  const dialog = element('passage');
  element('passage-close').addEventListener('click', () => dialog.close());
  // A click on the backdrop counts as one on the dialog itself.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) {
      dialog.close();
    }
  });
}

export async function showPassage(citation) {
  const dialog = element('passage');
  const body = element('passage-text');
  element('passage-title').textContent = citation.title || citation.documentId;
  element('passage-where').textContent = text('passageWhere', citation.documentId, citation.start, citation.end);
  body.replaceChildren(document.createTextNode('…'));
  if (!dialog.open) {
    dialog.showModal();
  }
  try {
    const chunk = await getChunk(citation.chunkId);
    showMarked(body, chunk, citation);
  } catch (failure) {
    const notice = document.createElement('p');
    notice.className = 'notice bad';
    notice.textContent = failure.status === 404 ? text('passageGone') : failure.message;
    body.replaceChildren(notice);
  }
}

function showMarked(body, chunk, citation) {
  const [start, end] = quoteWithin(chunk, citation);
  if (start < 0) {
    body.replaceChildren(chunk.text);
    return;
  }
  const mark = document.createElement('mark');
  mark.textContent = chunk.text.slice(start, end);
  body.replaceChildren(chunk.text.slice(0, start), mark, chunk.text.slice(end));
  mark.scrollIntoView({ block: 'center' });
}

/** Where the quote stands in the text of the chunk: by offset, or by its words when the document has moved on. */
function quoteWithin(chunk, citation) {
  const start = citation.start - chunk.start;
  const end = citation.end - chunk.start;
  if (start >= 0 && end > start && chunk.text.slice(start, end) === citation.quote) {
    return [start, end];
  }
  const found = chunk.text.indexOf(citation.quote);
  return citation.quote && found >= 0 ? [found, found + citation.quote.length] : [-1, -1];
}
