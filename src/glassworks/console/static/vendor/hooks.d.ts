// The part of preact's hooks that the console uses.
export type Ref<T> = { current: T };
export function useState<S>(initial: S | (() => S)): [S, (value: S | ((previous: S) => S)) => void];
export function useRef<T>(initial: T): Ref<T>;
export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useMemo<T>(factory: () => T, inputs: readonly unknown[]): T;
export function useCallback<T extends (...values: any[]) => any>(callback: T, inputs: readonly unknown[]): T;
export function useErrorBoundary(callback?: (error: any) => void): [any, () => void];
export function useId(): string;
