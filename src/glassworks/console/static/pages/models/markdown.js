/** Markdown as elements, of which there are no others than these: what a card holds comes from other people's data. */
import { spoken, worded } from "../../service_texts.js";
import { html } from "../../view.js";

const ITEM = /^( *)([-*+]|\d+[.)]) +(.*)$/;
const RULE = /^\|?[\s:|-]*-[\s:|-]*$/;
const ENTITIES = /** @type {{[name: string]: string}} */ ({ "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"' });

/** @param {{text: string}} props */
export const Markdown = ({ text }) => html`<div class="markdown">${blocks(text.replaceAll("\r", "").split("\n"))}</div>`;

/**
 * Lines as blocks; each takes the lines that it consists of.
 * @param {string[]} lines
 * @returns {any[]}
 */
function blocks(lines) {
  /** @type {any[]} */
  const found = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (!line.trim()) at += 1;
    else if (/^\s*```/.test(line)) {
      const end = lines.findIndex((each, index) => index > at && /^\s*```/.test(each));
      const last = end < 0 ? lines.length : end;
      found.push(html`<pre tabindex="0"><code>${lines.slice(at + 1, last).join("\n")}</code></pre>`);
      at = last + 1;
    } else if (heading) {
      const Level = `h${Math.min(6, heading[1].length + 1)}`;
      found.push(html`<${Level}>${inline(spoken(heading[2]))}<//>`);
      at += 1;
    } else if (line.includes("|") && RULE.test(lines[at + 1] ?? "")) {
      const end = until(lines, at, (each) => !each.includes("|"));
      found.push(table(lines.slice(at, end)));
      at = end;
    } else if (/^(---+|\*\*\*+)$/.test(line.trim())) {
      found.push(html`<hr />`);
      at += 1;
    } else if (ITEM.test(line)) {
      const end = until(lines, at, (each, index) => !each.trim() && !goesOn(line, lines[index + 1] ?? ""));
      found.push(list(lines.slice(at, end).filter((each) => each.trim())));
      at = end;
    } else if (line.startsWith(">")) {
      const end = until(lines, at, (each) => !each.startsWith(">"));
      found.push(html`<blockquote>${blocks(lines.slice(at, end).map((each) => each.replace(/^> ?/, "")))}</blockquote>`);
      at = end;
    } else {
      const end = until(lines, at + 1, (each) => !each.trim() || /^(#{1,6}\s|\s*```|>)/.test(each) || ITEM.test(each));
      const said = lines.slice(at, end).join(" ");
      // What is strong as a whole is said there.
      found.push(html`<p>${inline(/^\*\*[^*]+\*\*$/.test(said) ? said : spoken(said))}</p>`);
      at = end;
    }
  }
  return found;
}

/**
 * Whether a list goes on behind a blank line: with what is further to the right, or with an item of its kind.
 * @param {string} first
 * @param {string} next
 */
function goesOn(first, next) {
  const [one, other] = [ITEM.exec(first), ITEM.exec(next)];
  return !!one && !!other && (other[1].length > one[1].length || /\d/.test(one[2]) === /\d/.test(other[2]));
}

/**
 * @param {string[]} lines
 * @param {number} from
 * @param {(line: string, index: number) => boolean} ends
 */
function until(lines, from, ends) {
  let at = from;
  while (at < lines.length && !ends(lines[at], at)) at += 1;
  return at;
}

/**
 * A list, with what is further to the right as lists in its items.
 * @param {string[]} lines
 * @returns {any}
 */
function list(lines) {
  const first = /** @type {RegExpExecArray} */ (ITEM.exec(lines[0]));
  /** @type {{text: string, inner: string[]}[]} */
  const items = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && item[1].length <= first[1].length) items.push({ text: item[3], inner: [] });
    else if (item || items[items.length - 1].inner.length) items[items.length - 1].inner.push(line);
    else items[items.length - 1].text += ` ${line.trim()}`;
  }
  const Kind = /\d/.test(first[2]) ? "ol" : "ul";
  return html`<${Kind}>${items.map(({ text, inner }) => html`<li>${inline(spoken(text))}${inner.length > 0 && (ITEM.test(inner[0]) ? list(inner) : inline(inner.join(" ")))}</li>`)}<//>`;
}

/** @param {string[]} lines */
function table(lines) {
  const [head, , ...rows] = lines.map(cells);
  return html`<div class="table" tabindex="0" role="region"><table>
    ${head.some((each) => each) && html`<thead><tr>${head.map((each) => html`<th scope="col">${inline(spoken(each))}</th>`)}</tr></thead>`}
    <tbody>${rows.map((row) => html`<tr>${row.map((each) => html`<td>${inline(spoken(each))}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** Cells of a row; `\|` is no end of one. @param {string} line */
function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((each) => each.trim());
}

/**
 * Code, strong and emphasized text, links to other sites and within the console; all else stays text.
 * @param {string} text
 * @returns {any[]}
 */
function inline(text) {
  const mark = /`([^`]+)`|\*\*(.+?)\*\*|(?<![\w*])[*_](?=\S)(.+?)(?<=\S)[*_](?![\w*])|\[([^\]]+)\]\((https?:\/\/[^\s)]+|#\/[^\s)]*)\)/;
  const found = mark.exec(text);
  if (!found) return [unescaped(text)];
  const [whole, code, strong, soft, label, href] = found;
  const before = text.slice(0, found.index);
  const after = inline(text.slice(found.index + whole.length));
  // A backslash before a mark makes it a character.
  if (before.endsWith("\\")) return [unescaped(before.slice(0, -1)) + whole[0], ...inline(text.slice(found.index + 1))];
  const element = code !== undefined ? html`<code>${code}</code>`
    : strong !== undefined ? html`<strong>${marked(strong)}</strong>`
      : soft !== undefined ? html`<em>${inline(soft)}</em>`
        : html`<a href=${href} rel="noreferrer">${inline(label)}</a>`;
  return [unescaped(before), element, ...after];
}

/** What the service says within a mark, which has no marks of its own; anything else as it is. @param {string} text */
function marked(text) {
  const { text: said, known } = worded(unescaped(text));
  return known && said !== unescaped(text) ? [said] : inline(text);
}

/** @param {string} text */
const unescaped = (text) => text.replace(/\\([\\`*_{}[\]()#+\-.!|<>])/g, "$1").replace(/&(lt|gt|amp|quot);/g, (each) => ENTITIES[each]);
