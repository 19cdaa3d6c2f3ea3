/**
 * Benchmark records: JSON in bench/results, with what a reader needs to judge the numbers and nothing that names a
 * machine.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeMachine, type MachineDescription } from '../src/io/machine.js';

/** Four significant digits: more is noise. */
export const rounded = (value: number): number => Number(value.toPrecision(4));

/** From dist/bench/ to bench/results/. */
const pathOf = (name: string): string => fileURLToPath(new URL(`../../bench/results/${name}.json`, import.meta.url));

interface Kept<R> {
  readonly machine: MachineDescription;
  readonly node: string;
  readonly results: R[];
}

/** What bench/results/NAME.json holds; undefined where there is no such file. */
function keptOf<R>(name: string): Kept<R> | undefined {
  const path = pathOf(name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Kept<R>) : undefined;
}

/** The results of bench/results/NAME.json, none where there is no such file. */
export const resultsOf = <R>(name: string): R[] => keptOf<R>(name)?.results ?? [];

/** All that bench/results/NAME.json holds. Throws where there is no such file. */
export function contentOf<T>(name: string): T {
  const kept = keptOf(name);
  if (kept === undefined) throw new Error(`There is no bench/results/${name}.json.`);
  return kept as unknown as T;
}

/** The machine that they were measured on, and the version of Node. */
export function machineOf(name: string): Partial<MachineDescription & { readonly node: string }> {
  const { machine, node } = keptOf(name) ?? {};
  return node === undefined ? {} : { ...machine, node };
}

/** Writes bench/results/NAME.json: { name, machine, ...content }. Returns the path. */
export function writeRecord(name: string, content: Readonly<Record<string, unknown>>): string {
  const path = pathOf(name);
  mkdirSync(dirname(path), { recursive: true });
  // One line for each object that holds only numbers and strings: a row of a table stays a row.
  const text = JSON.stringify(
    { name, machine: describeMachine(), node: process.versions.node, ...content },
    null,
    1,
  ).replace(/\{[^{}[\]]*\}/g, (object) => object.replace(/\s*\n\s*/g, ' '));
  writeFileSync(path, `${text}\n`);
  return path;
}
