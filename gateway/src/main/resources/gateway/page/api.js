// Calls to the gateway. Every failure becomes an ApiError whose message a person can read.

import { text } from './texts.js';

const KEY = 'tsumugi.key';

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),

  /** Takes the key out of the address, where history and screen sharing would show it. */
  takeFromAddress() {
    const value = new URLSearchParams(location.hash.slice(1)).get('key');
    if (value) {
      key.set(value);
      history.replaceState(null, '', location.pathname + location.search);
    }
    return Boolean(value);
  },
};

let onUnauthorized = () => {};

/** @param {() => void} action what to do when the gateway refuses the key */
export function whenUnauthorized(action) {
  onUnauthorized = action;
}

function refused(status, body) {
  if (status === 401) {
    onUnauthorized();
  }
  return new ApiError(status, messageOf(body) || `HTTP ${status}`);
}

function messageOf(body) {
  try {
    const problem = JSON.parse(body);
    return problem.detail || problem.title;
  } catch {
    return undefined;
  }
}

async function send(method, path, body, signal) {
  const headers = { Authorization: `Bearer ${key.get()}`, 'Accept-Language': document.documentElement.lang };
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: 'no-store',
    });
  } catch (failure) {
    throw failure.name === 'AbortError' ? failure : new ApiError(0, text('unreachable'));
  }
  if (!response.ok) {
    throw refused(response.status, await response.text());
  }
  return response;
}

/** A document or chunk id in a path: its slashes stay. */
function idPath(id) {
  return id.split('/').map(encodeURIComponent).join('/');
}

export async function listDocuments(limit, after) {
  const query = new URLSearchParams({ limit });
  if (after) {
    query.set('after', after);
  }
  return (await send('GET', `/api/v1/documents?${query}`)).json();
}

export async function deleteDocument(id) {
  await send('DELETE', `/api/v1/documents/${idPath(id)}`);
}

export async function getChunk(chunkId) {
  return (await send('GET', `/api/v1/chunks/${idPath(chunkId)}`)).json();
}

/** @param {'up' | 'down'} rating */
export async function giveFeedback(question, response, rating) {
  const { answer, citations, provenance } = response;
  await send('POST', '/api/v1/feedback', { question, answer, rating, citations, provenance });
}

export async function listTrainingJobs(limit) {
  return (await send('GET', `/api/v1/training/jobs?${new URLSearchParams({ limit })}`)).json();
}

export async function getTrainingJob(id) {
  return (await send('GET', `/api/v1/training/jobs/${encodeURIComponent(id)}`)).json();
}

/** Uploads one file; fetch cannot report progress, so this is an XMLHttpRequest. */
export function uploadFile(file, onProgress) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append('file', file, file.name);
    const request = new XMLHttpRequest();
    request.open('POST', '/api/v1/documents');
    request.setRequestHeader('Authorization', `Bearer ${key.get()}`);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) {
        onProgress(event.loaded / event.total);
      }
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText).documents[0]);
      } else {
        reject(refused(request.status, request.responseText));
      }
    };
    request.onerror = () => reject(new ApiError(0, text('unreachable')));
    request.send(form);
  });
}

/** Asks with streaming: calls onDelta for each piece of text, and returns the finished AskResponse. */
export async function ask(question, onDelta, signal) {
  const response = await send('POST', '/api/v1/ask', { question, stream: true }, signal);
  let done;
  for await (const data of serverSentEvents(response.body)) {
    const event = JSON.parse(data);
    if (event.error) {
      throw new ApiError(500, event.error);
    }
    if (event.done) {
      done = event.done;
    } else if (event.delta) {
      onDelta(event.delta);
    }
  }
  if (!done) {
    throw new ApiError(0, text('broken'));
  }
  return done;
}

/** The data of each event of a server-sent event stream. */
async function* serverSentEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  let data = [];
  try {
    for (;;) {
      const { value, done } = await readOn(reader);
      if (done) {
        return;
      }
      pending += value;
      const lines = pending.split('\n');
      pending = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
        if (line === '') {
          if (data.length > 0) {
            yield data.join('\n');
            data = [];
          }
        } else if (line.startsWith('data:')) {
          data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function readOn(reader) {
  try {
    return await reader.read();
  } catch (failure) {
    throw failure.name === 'AbortError' ? failure : new ApiError(0, text('broken'));
  }
}
