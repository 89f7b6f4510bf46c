/** All keys: made, looked at, revoked. */
import { remove } from "../../api.js";
import { Button } from "../../components/button.js";
import { Confirm } from "../../components/dialog.js";
import { Card } from "../../components/heading.js";
import { Icon } from "../../components/icon.js";
import { Empty, ProblemNote, Skeleton, toast } from "../../components/notices.js";
import { Tag } from "../../components/progress.js";
import { Table } from "../../components/table.js";
import { ago, date } from "../../format.js";
import { t } from "../../i18n.js";
import { usePages } from "../../resource.js";
import { session } from "../../session.js";
import { html, useState } from "../../view.js";
import { NewKey } from "./new_key.js";
import { limitsOf } from "./limits.js";

/** @typedef {import("../../types").Key} Key */

const COMMAND = "glassworks serve --keys on";

export function KeyList() {
  const [gone, setGone] = useState(false);
  /** @type {ReturnType<typeof usePages<Key>>} */
  const keys = usePages("/keys", { limit: 100, state: gone ? undefined : "valid" });
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState(/** @type {Key | null} */ (null));
  const add = html`<${Button} kind="primary" icon="plus" onClick=${() => setMaking(true)}>${t("keys.create")}<//>`;
  const nothing = !keys.loading && !keys.error && !keys.items.length && !gone;
  return html`${session.value?.open && html`<${Open} any=${keys.items.length > 0} />`}
    <${Card} title=${t("keys.keys")} actions=${!nothing && add}>
      ${keys.error && html`<${ProblemNote} error=${keys.error} onRetry=${keys.reload} />`}
      ${keys.loading && html`<${Skeleton} lines=${3} />`}
      ${nothing && html`<${Empty} icon="keys" title=${t("keys.none")} text=${t("keys.none.text")}>${add}<//>`}
      ${keys.items.length > 0 && html`<${Table} label=${t("keys.keys")} columns=${columns(setRevoking)} rows=${keys.items} rowKey=${(/** @type {Key} */ each) => each.id} onEnd=${keys.more} complete=${keys.complete} height="50vh" />`}
      <p class="after-table"><label><input type="checkbox" checked=${gone} onChange=${(/** @type {any} */ event) => setGone(event.currentTarget.checked)} /> ${t("keys.gone")}</label></p>
    <//>
    ${making && html`<${NewKey} onClose=${() => setMaking(false)} onMade=${keys.reload} />`}
    ${revoking &&
    html`<${Confirm} danger title=${t("keys.revoke.title", { name: revoking.name })} text=${html`${warnings(revoking, keys.items).map((each) => html`<b key=${each}>${t(each)}</b><br />`)}${t("keys.revoke.text")}`} action=${t("keys.revoke")} onClose=${() => setRevoking(null)}
      run=${async () => {
        await remove(`/keys/${encodeURIComponent(revoking.id)}`);
        toast(t("keys.revoked", { name: revoking.name }));
        keys.reload();
      }} />`}`;
}

/**
 * What one should know before a key is revoked: that it is one's own, or that nobody can manage keys without it.
 * @param {Key} key
 * @param {Key[]} all
 */
function warnings(key, all) {
  const admins = all.filter((each) => stateOf(each) === "valid" && each.roles.includes("admin"));
  const last = admins.length === 1 && admins[0].id === key.id;
  const own = !session.value?.open && session.value?.name === key.name; // names of valid keys differ
  return [own && "keys.revoke.own", last && (session.value?.open ? "keys.revoke.last.open" : "keys.revoke.last")].filter((each) => typeof each === "string");
}

/** That nobody needs a key, and what to do about it. @param {{any: boolean}} props */
const Open = ({ any }) => html`<div class="note warning" role="note">
  <${Icon} name="warning" />
  <div>
    <p class="problem">${t("keys.open")}</p>
    <p>${t(any ? "keys.open.some" : "keys.open.none")} <code>${COMMAND}</code></p>
  </div>
</div>`;

/** @param {(key: Key) => void} revoke */
const columns = (revoke) => [
  { id: "name", title: t("keys.name"), cell: (/** @type {Key} */ each) => html`<b class=${stateOf(each) === "valid" ? "" : "muted"}>${each.name}</b>` },
  { id: "id", width: "100px", title: t("keys.id"), wide: true, cell: (/** @type {Key} */ each) => html`<code>${each.id}</code>` },
  { id: "roles", width: "clamp(130px, 17vw, 240px)", title: t("keys.roles"), cell: (/** @type {Key} */ each) => each.roles.map((role) => html`<${Tag} key=${role}>${t(`keys.role.${role}`)}<//> `) },
  { id: "limits", width: "20%", title: t("keys.limits"), wide: true, cell: (/** @type {Key} */ each) => html`<span class="cut limits" title=${limitsOf(each).join("; ")}>${limitsOf(each).join("; ") || html`<span class="muted">${t("keys.limits.none")}</span>`}</span>` },
  { id: "ends", width: "150px", title: t("keys.ends"), wide: true, cell: (/** @type {Key} */ each) => html`<span class="muted">${endOf(each)}</span>` },
  { id: "revoke", width: "64px", title: "", cell: (/** @type {Key} */ each) => stateOf(each) === "valid" && html`<${Button} kind="quiet" icon="trash" label=${t("keys.revoke.one", { name: each.name })} onClick=${() => revoke(each)} />` },
];

/** @param {Key} key */
const stateOf = (key) => key.state ?? (key.revoked_at ? "revoked" : key.expires_at && new Date(key.expires_at) < new Date() ? "expired" : "valid");

/** @param {Key} key */
function endOf(key) {
  if (key.revoked_at) return t("keys.revoked.at", { when: ago(key.revoked_at) });
  if (!key.expires_at) return t("keys.ends.never");
  return t(stateOf(key) === "expired" ? "keys.ended" : "keys.ends.at", { when: date(key.expires_at) });
}
