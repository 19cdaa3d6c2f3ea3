/**
 * Paths by patterns: what programs of several versions leave in folders that have the version in their names.
 */
import { readdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** Names in a folder; none where there is no such folder, or it may not be read. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/**
 * The paths of a pattern that there are, in which `*` stands for any part of one name: "/usr/local/cuda-*\/lib64". Of
 * several names the last in order comes first, which is the newest where they tell versions.
 */
export function pathsOf(pattern: string): string[] {
  const [first, ...parts] = pattern.split('/');
  let paths = [first === '' ? '/' : first];
  // Of folders whose names end in a slash a part is empty.
  for (const part of parts.filter((one) => one !== '')) {
    const named = new RegExp(`^${part.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
    paths = paths.flatMap((path) =>
      namesIn(path)
        .filter((name) => named.test(name))
        .sort()
        .reverse()
        .map((name) => join(path, name)),
    );
  }
  return paths;
}

/** The folders that the folders of a list of commands (PATH) lie in: "/usr" of "/usr/bin". */
export const prefixesOf = (list: string): string[] => [
  ...new Set(
    list
      .split(delimiter)
      .filter((path) => path !== '')
      .map((path) => dirname(path)),
  ),
];
