// All words of the page, in the languages it speaks. A value may be a function of the values it names.

const ENGLISH = {
  tagline: 'Answers from your own documents',
  skip: 'Skip to the question',
  signOut: 'Sign out',
  keyTitle: 'Enter your access key',
  keyExplain:
    'The first start of Tsumugi prints this key and keeps it in the file admin.key of its data folder. This browser tab remembers it until you close it.',
  keyLabel: 'Access key',
  keySubmit: 'Continue',
  keyWrong: 'This key is not accepted. Copy the whole line of the file admin.key.',
  askTitle: 'Ask your documents',
  askLabel: 'Your question',
  askPlaceholder: 'What would you like to know?',
  askHint: 'Enter to ask, Shift + Enter for a new line',
  ask: 'Ask',
  stop: 'Stop',
  nothingYet: 'Answers appear here, each with the passages it rests on.',
  searching: 'Looking for passages…',
  writing: 'Writing…',
  stopped: 'Stopped.',
  unansweredTitle: 'Your documents do not answer this',
  unansweredHint: 'Try other words, or add a document that holds the answer.',
  sources: 'Sources',
  showSource: (n, title) => `Show source ${n}: ${title}`,
  provenance: (model, seconds) => `${model} · ${seconds} s`,
  provenanceAdapter: (model, adapter, seconds) => `${model} with ${adapter} · ${seconds} s`,
  helpful: 'Was this helpful?',
  yes: 'Yes',
  no: 'No',
  thanks: 'Thank you. Your feedback is kept for review.',
  documents: 'Documents',
  documentCount: (n) => (n === 1 ? '1 document' : `${n} documents`),
  dropHere: 'Drop files here',
  chooseFiles: 'Choose files',
  formats: 'PDF, Word, PowerPoint, Excel, HTML, Markdown, CSV, text',
  noDocuments: 'No documents yet. Add some to ask about them.',
  more: 'Show more',
  delete: 'Delete',
  deleteNamed: (title) => `Delete ${title}`,
  deleteQuestion: (title) => `Delete “${title}”? Answers will no longer use it.`,
  deleted: (title) => `${title} is deleted.`,
  dismiss: 'Dismiss',
  cancel: 'Cancel',
  close: 'Close',
  waiting: 'Waiting…',
  uploading: (percent) => `Uploading ${percent} %`,
  uploaded: (title) => `${title} is received.`,
  RECEIVED: 'Reading…',
  PARSED: 'Embedding…',
  EMBEDDED: 'Indexing…',
  INDEXED: (chunks) => (chunks === 1 ? 'Ready · 1 passage' : `Ready · ${chunks} passages`),
  FAILED: 'Failed',
  DELETED: 'Deleting…',
  passageWhere: (document, start, end) => `${document}, characters ${start} to ${end}`,
  passageGone: 'This passage is no longer in the index: the document was changed or deleted.',
  unreachable: 'Tsumugi cannot be reached. Is it running?',
  broken: 'The answer broke off. Please ask again.',
};

const JAPANESE = {
  tagline: '社内文書にもとづいて答えます',
  skip: '質問欄へ移動',
  signOut: 'サインアウト',
  keyTitle: 'アクセスキーを入力してください',
  keyExplain:
    'キーは Tsumugi の初回起動時に表示され、データフォルダーの admin.key に保存されています。このタブを閉じるまでブラウザーが記憶します。',
  keyLabel: 'アクセスキー',
  keySubmit: '続ける',
  keyWrong: 'このキーは使えません。admin.key の行全体をコピーしてください。',
  askTitle: '文書に質問する',
  askLabel: '質問',
  askPlaceholder: '知りたいことを入力してください',
  askHint: 'Enter で送信、Shift + Enter で改行',
  ask: '質問する',
  stop: '停止',
  nothingYet: '回答は、根拠となった箇所とともにここに表示されます。',
  searching: '関連する箇所を検索しています…',
  writing: '回答を作成しています…',
  stopped: '停止しました。',
  unansweredTitle: '文書の中に答えが見つかりませんでした',
  unansweredHint: '言い換えてみるか、答えを含む文書を追加してください。',
  sources: '出典',
  showSource: (n, title) => `出典 ${n}「${title}」を表示`,
  provenance: (model, seconds) => `${model} ・ ${seconds} 秒`,
  provenanceAdapter: (model, adapter, seconds) => `${model}（${adapter}） ・ ${seconds} 秒`,
  helpful: '役に立ちましたか？',
  yes: 'はい',
  no: 'いいえ',
  thanks: 'ありがとうございます。ご意見は確認のために保存されます。',
  documents: '文書',
  documentCount: (n) => `${n} 件`,
  dropHere: 'ここにファイルをドロップ',
  chooseFiles: 'ファイルを選択',
  formats: 'PDF、Word、PowerPoint、Excel、HTML、Markdown、CSV、テキスト',
  noDocuments: 'まだ文書がありません。追加すると質問できます。',
  more: 'さらに表示',
  delete: '削除',
  deleteNamed: (title) => `${title} を削除`,
  deleteQuestion: (title) => `「${title}」を削除しますか？今後の回答には使われなくなります。`,
  deleted: (title) => `${title} を削除しました。`,
  dismiss: '閉じる',
  cancel: 'キャンセル',
  close: '閉じる',
  waiting: '待機中…',
  uploading: (percent) => `アップロード中 ${percent} %`,
  uploaded: (title) => `${title} を受け付けました。`,
  RECEIVED: '読み取り中…',
  PARSED: '埋め込み中…',
  EMBEDDED: '索引に登録中…',
  INDEXED: (chunks) => `利用できます ・ ${chunks} 箇所`,
  FAILED: '失敗',
  DELETED: '削除中…',
  passageWhere: (document, start, end) => `${document}（${start}〜${end} 文字目）`,
  passageGone: 'この箇所はもう索引にありません。文書が変更または削除されました。',
  unreachable: 'Tsumugi に接続できません。起動しているか確認してください。',
  broken: '回答が途中で途切れました。もう一度質問してください。',
};

const japanese = navigator.languages.length > 0 && navigator.languages[0].toLowerCase().startsWith('ja');
const words = japanese ? JAPANESE : ENGLISH;

/** The text of that name, with its values filled in. */
export function text(name, ...values) {
  const entry = words[name];
  return typeof entry === 'function' ? entry(...values) : entry;
}

/** Fills every element of the page that names its text. */
export function fillTexts() {
  document.documentElement.lang = japanese ? 'ja' : 'en';
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll('[data-placeholder]')) {
    element.placeholder = text(element.dataset.placeholder);
  }
}
