/** The beginning: texts, who we are, then the frame around the pages. */
import { openSession, watchSession } from "./session.js";
import { unreached } from "./connection.js";
import { language, loadTexts } from "./i18n.js";
import { html, render } from "./view.js";
import { Shell } from "./shell/shell.js";

document.documentElement.lang = language.value;
openSession().catch(unreached);
watchSession();
await loadTexts("i18n");
const app = /** @type {Element} */ (document.getElementById("app"));
app.replaceChildren();
render(html`<${Shell} />`, app);
