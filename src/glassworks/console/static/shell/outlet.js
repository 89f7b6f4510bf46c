/** The page of the address, loaded with its texts when it is first opened. */
import { Button } from "../components/button.js";
import { Heading } from "../components/heading.js";
import { Empty, ProblemNote, Skeleton } from "../components/notices.js";
import { loadTexts, t } from "../i18n.js";
import { PAGES } from "../pages/index.js";
import { link, route } from "../router.js";
import { may, session } from "../session.js";
import { html, useEffect, useErrorBoundary, useState } from "../view.js";

/** @type {Map<string, any>} */
const loaded = new Map();
/** Pages that need no more than models to ask. */
const OPEN = new Set(["try"]);

export function Outlet() {
  const { page, rest, query } = route.value;
  const entry = PAGES.find((each) => each.id === page);
  const [error, setError] = useState(/** @type {any} */ (null));
  const [, drawn] = useState(0);
  useEffect(() => {
    if (!entry || loaded.has(page)) return;
    setError(null);
    Promise.all([entry.load(), loadTexts(`pages/${page}`)]).then(
      ([module]) => {
        loaded.set(page, module.default);
        drawn((was) => was + 1);
      },
      (caught) => setError({ problem: t("error.page"), mend: t("error.page.mend"), cause: caught }),
    );
  }, [page]);
  useEffect(() => scrollTo(0, 0), [page, rest.join("/")]);
  if (!entry) return html`<${Empty} title=${t("error.address")} text=${t("error.address.mend")}><a href="#/">${t("nav.home")}</a><//>`;
  if (error) return html`<${ProblemNote} error=${error} onRetry=${() => location.reload()} />`;
  if (session.value && !may("viewer") && !OPEN.has(page)) return html`<${Shut} page=${page} />`;
  const View = loaded.get(page);
  return View ? html`<${Guarded} key=${page} view=${View} rest=${rest} query=${query} />` : html`<${Skeleton} />`;
}

/** What a key that may only ask models does not show, and whom to ask. @param {{page: string}} props */
const Shut = ({ page }) => html`<${Heading} title=${t(`nav.${page}`)} />
  <${Empty} icon="keys" title=${t("session.shut", { name: session.value?.name })} text=${t("session.shut.mend")}>
    <${Button} kind="primary" icon="try" href=${link("try")}>${t("nav.try")}<//>
  <//>`;

/** A fault of a page leaves the frame in use. @param {any} props */
function Guarded({ view: View, rest, query }) {
  const [fault, reset] = useErrorBoundary((caught) => console.error(caught));
  if (fault) return html`<${ProblemNote} problem=${t("error.fault", { message: String(fault.message ?? fault) })} mend=${t("error.fault.mend")} onRetry=${reset} />`;
  return html`<${View} rest=${rest} query=${query} />`;
}
