/** Answers to a POST that come in parts, as OpenAI's clients read them. */
import { Problem } from "../../api.js";
import { reached, unreached } from "../../connection.js";
import { t } from "../../i18n.js";
import { signIn } from "../../session.js";

/**
 * @param {string} path
 * @param {any} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<any>}
 */
export async function* streamed(path, body, signal) {
  const answer = await opened(path, body, signal);
  const reader = /** @type {ReadableStream<any>} */ (answer.body).pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("data: ") || line.startsWith("data: [DONE]")) continue;
      const part = JSON.parse(line.slice(6));
      if (part.error) throw problemOf(part.error, 0);
      yield part;
    }
  }
}

/**
 * @param {string} path
 * @param {any} body
 * @param {AbortSignal} signal
 */
async function opened(path, body, signal) {
  for (;;) {
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
    } catch (error) {
      if (!signal.aborted) unreached();
      throw signal.aborted ? error : new Problem(t("error.away"), t("error.away.mend"));
    }
    reached();
    if (answer.ok) return answer;
    if (answer.status === 401 && (await signIn(signal))) continue;
    throw problemOf((await answer.json()).error, answer.status);
  }
}

/**
 * @param {any} error
 * @param {number} status
 */
function problemOf(error, status) {
  const [problem, ...mend] = String(error?.message ?? error).split("; ");
  return new Problem(problem, mend.join("; ") || t("error.retry"), { status });
}
