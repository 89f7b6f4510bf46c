// The part of preact that the console uses, typed for htm, whose templates say nothing of their children.
export type VNode = { type: unknown; props: any; key: unknown };
export type Children = VNode | string | number | boolean | null | undefined | Children[];
export type Component<P = any> = (props: P) => Children;
export function h(type: any, props: any, ...children: Children[]): VNode;
export function render(vnode: Children, parent: Element): void;
export const Fragment: Component;
export function createContext<T>(value: T): { Provider: Component<{ value: T; children?: Children }>; _value?: T };
