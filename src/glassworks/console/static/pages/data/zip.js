/**
 * A zip archive that stores files as they are: it refers to them, and so takes no memory. The same files give the same
 * bytes, whenever and in whatever order they were chosen, so that a service knows what it has already.
 */
import { Problem } from "../../api.js";
import { t } from "../../i18n.js";

/** @typedef {{path: string, file: Blob}} Named A file, and where it lies in the archive, with `/` between folders. */

const MOST = 0xffffffff;
const MANY = 0xffff;
const UTF8 = 0x0800;
/** 1980-01-01, the first day that a zip can name. */
const DAY = 0x21;
const VERSION = 20;
const SMALL = 4 * 2 ** 20;
const AT_ONCE = 16;
const TABLE = tableOf();

/**
 * @param {Named[]} files
 * @param {(read: number) => void} [progress] Called with the bytes that were read; each file is read once, for its checksum.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Blob>}
 */
export async function zipped(files, progress, signal) {
  const sorted = [...files].sort((one, other) => (one.path < other.path ? -1 : 1));
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const directory = [];
  let [offset, read] = [0, 0];
  const sums = await checksums(sorted, (count) => progress?.((read += count)), signal);
  for (const [at, { path, file }] of sorted.entries()) {
    const name = new TextEncoder().encode(path);
    const about = fields(sums[at], file.size, name.length);
    const local = record(0x04034b50, [[2, VERSION], ...about, [2, 0]], name);
    directory.push(record(0x02014b50, [[2, VERSION], [2, VERSION], ...about, [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]], name));
    parts.push(local, file);
    offset += local.length + file.size;
    if (offset > MOST) throw new Problem(t("data.upload.large"), t("data.upload.large.mend"));
  }
  const size = directory.reduce((sum, each) => sum + each.length, 0);
  return new Blob([...parts, ...directory, ...ending(sorted.length, size, offset)], { type: "application/zip" });
}

/**
 * What both records of a file begin with: flags, method, time, date, checksum, sizes, length of the name.
 * @param {number} sum
 * @param {number} size
 * @param {number} name
 * @returns {[number, number][]}
 */
const fields = (sum, size, name) => [[2, UTF8], [2, 0], [2, 0], [2, DAY], [4, sum], [4, size], [4, size], [2, name]];

/**
 * The end of the archive; of many files also the one that counts beyond 65,535.
 * @param {number} count
 * @param {number} size
 * @param {number} offset
 */
function ending(count, size, offset) {
  const few = Math.min(count, MANY);
  const end = record(0x06054b50, [[2, 0], [2, 0], [2, few], [2, few], [4, size], [4, offset], [2, 0]]);
  if (count < MANY) return [end];
  const large = record(0x06064b50, [[8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, size], [8, offset]]);
  return [large, record(0x07064b50, [[4, 0], [8, offset + size], [4, 1]]), end];
}

/**
 * @param {number} mark
 * @param {[number, number][]} values Of two, four or eight bytes.
 * @param {Uint8Array} [name]
 */
function record(mark, values, name = new Uint8Array()) {
  const length = values.reduce((sum, [width]) => sum + width, 4);
  const bytes = new Uint8Array(length + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, mark, true);
  let at = 4;
  for (const [width, value] of values) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  bytes.set(name, length);
  return bytes;
}

/**
 * CRC-32 of all files, some at a time: small ones take longer to open than to read.
 * @param {Named[]} files
 * @param {(count: number) => void} progress
 * @param {AbortSignal} [signal]
 */
async function checksums(files, progress, signal) {
  const sums = new Uint32Array(files.length);
  let next = 0;
  const read = async () => {
    while (next < files.length) {
      const at = next++;
      sums[at] = await checksum(files[at].file, progress, signal);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, read));
  return sums;
}

/**
 * CRC-32, of a file of any size.
 * @param {Blob} file
 * @param {(count: number) => void} [progress]
 * @param {AbortSignal} [signal]
 */
export async function checksum(file, progress, signal) {
  if (file.size <= SMALL) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    signal?.throwIfAborted();
    progress?.(bytes.length);
    return (added(0xffffffff, bytes) ^ 0xffffffff) >>> 0;
  }
  let sum = 0xffffffff;
  const reader = file.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    signal?.throwIfAborted();
    if (done) return (sum ^ 0xffffffff) >>> 0;
    sum = added(sum, value);
    progress?.(value.length);
  }
}

/**
 * @param {number} sum
 * @param {Uint8Array} bytes
 */
function added(sum, bytes) {
  for (let at = 0; at < bytes.length; at++) sum = TABLE[(sum ^ bytes[at]) & 0xff] ^ (sum >>> 8);
  return sum;
}

function tableOf() {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });
}
