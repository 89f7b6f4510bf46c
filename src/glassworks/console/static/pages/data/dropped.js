/** What was dropped or chosen: files with their paths, also out of folders. */

/** @typedef {import("./zip.js").Named & {file: File}} Chosen */

/** What systems leave in folders. */
const LEFT = /^(\.|__MACOSX$|Thumbs\.db$|desktop\.ini$)/i;

/**
 * The files of a drop, folders and all. What was dropped is only known until the event ends: it is taken before anything is waited for.
 * @param {DataTransfer} transfer
 * @returns {Promise<Chosen[]>}
 */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((each) => each.webkitGetAsEntry?.()).filter((each) => !!each);
  if (!entries.length) return chosen(transfer.files);
  const found = await Promise.all(entries.map((each) => filesIn(each, "")));
  return found.flat();
}

/**
 * The files of an input, with `webkitdirectory` those of its folder.
 * @param {Iterable<File>} files
 * @returns {Chosen[]}
 */
export function chosen(files) {
  const named = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  return named.filter(({ path }) => !path.split("/").some((part) => LEFT.test(part)));
}

/**
 * @param {FileSystemEntry} entry
 * @param {string} before
 * @returns {Promise<Chosen[]>}
 */
async function filesIn(entry, before) {
  if (LEFT.test(entry.name)) return [];
  const path = before + entry.name;
  if (entry.isFile) {
    const file = /** @type {FileSystemFileEntry} */ (entry);
    return [{ path, file: await new Promise((resolve, reject) => file.file(resolve, reject)) }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {Chosen[]} */
  const found = [];
  // A reader gives a hundred at a time, and nothing at the end.
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const each of some) found.push(...(await filesIn(each, `${path}/`)));
  }
}

/**
 * What people call it: the file's name, or that of the folder that all files lie in.
 * @param {Chosen[]} files
 */
export function nameOf(files) {
  if (files.length === 1) return files[0].file.name;
  const first = files[0].path.split("/")[0];
  const common = files.every(({ path }) => path.startsWith(`${first}/`));
  return `${common ? first : files[0].path.split("/")[0] + "+"}.zip`;
}
