/**
 * --config FILE.json: a command's options from a file, under the names of its flags. Flags win.
 */
import { readFile } from 'node:fs/promises';
import type { Command, Option } from 'commander';
import { nearestName } from '../core/known-options.js';
import { accessError } from '../io/input-file.js';
import { isInvalidArgument, UsageError } from './usage.js';

type Values = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object of a file of JSON. Throws FileAccessError, UsageError. */
export async function readJsonObject(path: string, what: string): Promise<Values> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw accessError(error, 'read', path);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path}: ${what} is no JSON: ${(error as Error).message}.`);
  }
  if (!isObject(value)) throw new UsageError(`${path}: ${what} must be a JSON object, { "name": value, … }.`);
  return value;
}

/** Options whose lists are of widths, and of columns, whose names may hold commas. */
const WIDTHS: ReadonlySet<string> = new Set(['network', 'hidden']);
const COLUMNS: ReadonlySet<string> = new Set(['target', 'columns']);

/** A value of JSON as it would stand behind its flag. */
function asText(value: unknown, flag: Option): string {
  if (Array.isArray(value)) {
    if (WIDTHS.has(flag.attributeName())) return value.map(String).join('-');
    const quotes = COLUMNS.has(flag.attributeName());
    return value
      .map((one) => (quotes && typeof one === 'string' ? `"${one.replaceAll('"', '""')}"` : String(one)))
      .join(',');
  }
  if (isObject(value)) {
    const { name, ...settings } = value;
    const rest = Object.entries(settings).map(([key, one]) => `${key}=${String(one)}`);
    return `${typeof name === 'string' ? `${name}${rest.length > 0 ? ':' : ''}` : ''}${rest.join(',')}`;
  }
  return String(value);
}

/** The flag of a name in the file: learning-rate, learningRate, --learning-rate. */
function flagOf(name: string, flags: readonly Option[], path: string): Option {
  const plain = name.replace(/^--/, '');
  const found =
    flags.find((flag) => flag.long?.replace(/^--/, '') === plain) ??
    flags.find((flag) => flag.attributeName() === plain);
  if (found !== undefined) return found;
  const names = flags.map((flag) => flag.long!.replace(/^--/, ''));
  const near = nearestName(plain, names);
  const hint = near === undefined ? `there are ${names.join(', ')}` : `did you mean "${near}"?`;
  throw new UsageError(`${path} has no option "${name}" of this command: ${hint}`);
}

/** A value under a name, as the command has it; "bias": false is "no-bias": true. */
function parsed(name: string, value: unknown, flag: Option, path: string): unknown {
  const refuse = (why: string): never => {
    throw new UsageError(`${path}: "${name}": ${why}`);
  };
  if (flag.isBoolean() || flag.negate) {
    if (typeof value !== 'boolean') return refuse('It must be true or false.');
    return flag.negate && name.replace(/^--/, '') === flag.long!.replace(/^--/, '') ? !value : value;
  }
  if (value === null || value === '') return refuse('It has no value.');
  try {
    const text = asText(value, flag);
    return flag.parseArg === undefined ? text : flag.parseArg(text, undefined as never);
  } catch (error) {
    if (isInvalidArgument(error)) return refuse(error.message);
    throw error;
  }
}

/**
 * { "optimizer": { "name": …, setting: value } } as a name and settings; those of an optimizer that a flag replaces are
 * left out.
 */
function withSettings(values: Values, replaced: boolean): Values {
  const { optimizer, ...others } = values;
  if (!isObject(optimizer)) return values;
  if (replaced) return others;
  const { name, ...settings } = optimizer;
  if (Object.keys(settings).length === 0) return { ...others, optimizer: name };
  const { set } = others;
  return { ...others, optimizer: name, set: { ...settings, ...(isObject(set) ? set : {}) } };
}

/**
 * The options of a command, those of its --config file among them. Throws UsageError for names and values that the
 * command does not have, FileAccessError.
 */
export async function configured<T extends object>(command: Command): Promise<T> {
  const given = command.opts<{ config?: string }>();
  if (given.config === undefined) return given as T;
  const { config: path } = given;
  const flags = command.options.filter(({ long }) => long !== '--config');
  const values = withSettings(
    await readJsonObject(path, 'the file of options'),
    command.getOptionValueSource('optimizer') === 'cli',
  );
  for (const [name, value] of Object.entries(values)) {
    const flag = flagOf(name, flags, path);
    const attribute = flag.attributeName();
    const own = parsed(name, value, flag, path);
    if (command.getOptionValueSource(attribute) === 'cli') {
      // Settings of an optimizer are taken one by one.
      const flagged = command.getOptionValue(attribute) as unknown;
      if (attribute === 'set')
        command.setOptionValueWithSource('set', { ...(own as object), ...(flagged as object) }, 'cli');
      continue;
    }
    command.setOptionValueWithSource(attribute, own, 'config');
  }
  return command.opts<T>();
}
