// The part of uPlot that the console uses.
export type Columns = (number | null | undefined)[][] | any[];
export default class uPlot {
  constructor(options: any, data: Columns, parent: HTMLElement);
  static join(tables: any[]): any[];
  root: HTMLElement;
  over: HTMLElement;
  cursor: { idx: number | null; left: number; top: number };
  select: { left: number; width: number };
  scales: { [key: string]: { min: number; max: number } };
  setData(data: Columns, resetScales?: boolean): void;
  setSize(size: { width: number; height: number }): void;
  setScale(key: string, range: { min: number; max: number }): void;
  setSelect(select: { left: number; top: number; width: number; height: number }, fire?: boolean): void;
  posToVal(position: number, scale: string): number;
  batch(run: () => void): void;
  redraw(rebuildPaths?: boolean): void;
  destroy(): void;
}
