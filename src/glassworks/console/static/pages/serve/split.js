/** The split as somebody sets it: kept while others change it, and told about that. */
import { useAction } from "../../action.js";
import { put } from "../../api.js";
import { Button } from "../../components/button.js";
import { SelectField, SliderField } from "../../components/fields.js";
import { Card } from "../../components/heading.js";
import { ProblemNote, toast } from "../../components/notices.js";
import { ago, number } from "../../format.js";
import { t } from "../../i18n.js";
import { may } from "../../session.js";
import { html, useEffect, useState } from "../../view.js";
import { ShareBar, colorOf, rebalanced, same, sentence } from "./shares.js";

/** @typedef {import("../../types").Deployment} Deployment */
/** @typedef {{shares: {[version: string]: number}, shadow: number | null, champion: number | null}} Split */
/** @typedef {{value: Deployment, etag: string}} Tagged */

const FIRST_SHARE = 10;

/**
 * The split with a first share of a version that somebody came to put into service; null where it has one.
 * @param {Tagged} tagged
 * @param {string | undefined} wanted
 * @returns {(Split & {etag: string}) | null}
 */
function begun({ value: { shares, shadow, champion }, etag }, wanted) {
  if (!wanted || !/^[1-9]\d*$/.test(wanted) || shares[wanted] || !may("operator")) return null;
  return { shares: rebalanced({ ...shares, [wanted]: 0 }, wanted, FIRST_SHARE), shadow: String(shadow) === wanted ? null : shadow, champion, etag };
}

/** @param {{tagged: Tagged, versions: {version: number, aliases: string[]}[], wanted?: string, onChanged: () => void}} props */
export function SplitForm({ tagged, versions, wanted, onChanged }) {
  const now = tagged.value;
  const [draft, setDraft] = useState(/** @type {() => (Split & {etag: string}) | null} */ (() => begun(tagged, wanted)));
  useEffect(() => {
    if (draft) /** @type {HTMLElement | null} */ (document.querySelector(".split .wanted input"))?.focus();
  }, []);
  const split = draft ?? now;
  const overtaken = draft !== null && draft.etag !== tagged.etag && !same(draft, now);
  const set = (/** @type {Partial<Split>} */ change) => {
    const { shares, shadow, champion } = { ...split, ...change };
    setDraft({ shares, shadow, champion, etag: draft?.etag ?? tagged.etag });
  };
  const apply = useAction(async (/** @type {string} */ etag, force = false) => {
    const shares = Object.fromEntries(Object.entries(split.shares).filter(([, share]) => share > 0));
    try {
      await put(`/deployments/${encodeURIComponent(now.model)}`, { champion: split.champion, shares, shadow: split.shadow, force }, { match: etag });
      setDraft(null);
      toast(t("serve.applied"));
    } finally {
      onChanged();
    }
  });
  const forget = () => {
    setDraft(null);
    apply.clear();
  };
  const changed = draft !== null && !same(draft, now);
  const unlike = apply.error?.status === 409 && changed;
  const lost = apply.error?.status === 412 ? apply.error : null;
  return html`<${Card} title=${t("serve.split")}>
    <${ShareBar} shares=${split.shares} />
    ${now.changed_elsewhere && html`<p class="muted">${t("serve.elsewhere")}</p>`}
    <${Versions} split=${split} versions=${versions} aliases=${now.aliases} disabled=${!may("operator")} wanted=${wanted} onSplit=${set} />
    <p class="sentence-of-goal">${sentence(split)}</p>
    ${(lost || (overtaken && changed)) && html`<${Overtaken} now=${now} problem=${lost?.problem} onTheirs=${forget} onMine=${() => apply.go(tagged.etag)} busy=${apply.busy} mine=${split} />`}
    ${apply.error && !lost && html`<${ProblemNote} error=${apply.error}>
      ${unlike && html`<p>${t("serve.force.text")}</p><div class="actions"><${Button} kind="danger" busy=${apply.busy} onClick=${() => apply.go(tagged.etag, true)}>${t("serve.force")}<//></div>`}
    <//>`}
    ${changed && !lost && !overtaken && html`<div class="actions">
      <${Button} kind="primary" icon="check" busy=${apply.busy} onClick=${() => apply.go(draft.etag)}>${t("serve.apply")}<//>
      <${Button} onClick=${forget}>${t("serve.forget")}<//>
    </div>`}
  <//>`;
}

/** @param {{split: Split, versions: {version: number, aliases: string[]}[], aliases: {[alias: string]: number}, disabled: boolean, wanted?: string, onSplit: (change: Partial<Split>) => void}} props */
function Versions({ split, versions, aliases, disabled, wanted, onSplit }) {
  const shown = Object.keys(split.shares).sort((a, b) => Number(b) - Number(a));
  const others = versions.map((each) => String(each.version)).filter((each) => !shown.includes(each));
  const labelOf = (/** @type {string} */ version) => [t("serve.version", { version }), ...Object.entries(aliases).filter(([, named]) => String(named) === version).map(([alias]) => alias)].join(" · ");
  const all = [...new Set([...shown, ...versions.map((each) => String(each.version))])].sort((a, b) => Number(b) - Number(a));
  const options = [{ value: "", label: t("serve.nothing") }, ...all.map((value) => ({ value, label: labelOf(value) }))];
  const toNumber = (/** @type {string} */ value) => (value === "" ? null : Number(value));
  const without = (/** @type {string} */ version) => {
    const { [version]: _, ...rest } = rebalanced(split.shares, version, 0);
    onSplit({ shares: rest });
  };
  return html`<ul class="split">
      ${shown.map((version) => html`<li key=${version} class=${version === wanted ? "wanted" : ""}>
        <i class="swatch" style=${{ background: colorOf(version) }}></i>
        <${SliderField} label=${labelOf(version)} value=${Math.round(split.shares[version])} min=${0} max=${100} disabled=${disabled || shown.length === 1}
          show=${() => `${number(split.shares[version])} %`} onInput=${(/** @type {number} */ share) => onSplit({ shares: rebalanced(split.shares, version, share) })} />
        ${shown.length > 1 && !disabled && html`<${Button} kind="quiet" icon="close" label=${t("serve.remove", { version })} onClick=${() => without(version)} />`}
      </li>`)}
    </ul>
    ${!disabled && html`<div class="fields">
      ${others.length > 0 && html`<${SelectField} label=${t("serve.add")} value="" options=${[{ value: "", label: t("serve.add.choose") }, ...others.map((value) => ({ value, label: labelOf(value) }))]}
        onInput=${(/** @type {string} */ version) => version && onSplit({ shares: { ...split.shares, [version]: 0 } })} />`}
      <${SelectField} label=${t("serve.shadow")} hint=${t("serve.shadow.hint")} value=${String(split.shadow ?? "")} options=${options} onInput=${(/** @type {string} */ value) => onSplit({ shadow: toNumber(value) })} />
      <${SelectField} label=${t("serve.champion")} hint=${t("serve.champion.hint")} value=${String(split.champion ?? "")} options=${split.champion === null ? options : options.slice(1)} onInput=${(/** @type {string} */ value) => onSplit({ champion: toNumber(value) })} />
    </div>`}`;
}

/** Somebody else was quicker. @param {{now: Deployment, problem?: string, mine: Split, busy: boolean, onTheirs: () => void, onMine: () => void}} props */
function Overtaken({ now, problem, mine, busy, onTheirs, onMine }) {
  const [last] = now.history;
  const who = last?.who || t("serve.somebody");
  return html`<div class="note warning overtaken" role="alert">
    <div>
      <p class="problem">${last ? t("serve.overtaken", { who, when: ago(last.at) }) : (problem ?? t("serve.overtaken.unknown"))}</p>
      <dl><dt>${t("serve.overtaken.now")}</dt><dd>${sentence(now)}</dd><dt>${t("serve.overtaken.mine")}</dt><dd>${sentence(mine)}</dd></dl>
      <div class="actions">
        <${Button} kind="primary" busy=${busy} onClick=${onMine}>${t("serve.overtaken.apply")}<//>
        <${Button} onClick=${onTheirs}>${t("serve.overtaken.leave")}<//>
      </div>
    </div>
  </div>`;
}

