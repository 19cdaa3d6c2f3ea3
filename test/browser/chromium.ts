/**
 * Chromium without a window, for pages in a folder that a server of our own gives out. Where there is no Chromium,
 * tests skip, saying so.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where Chromium lies, or nothing: Debian and Ubuntu have it as the package `chromium`. */
export const chromiumPath = PLACES.find((path) => existsSync(path));

/** What a skipped test says. */
export const NO_CHROMIUM = 'there is no Chromium here (Debian and Ubuntu: apt-get install chromium)';

const FLAGS = [
  // As root, as on a machine of continuous integration, it has no sandbox.
  '--no-sandbox',
  // WebGPU without a window and without a card, by the software adapter that it brings along.
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
];

/** Opens Chromium, which must be there. Close it. */
export const openChromium = (): Promise<Browser> => chromium.launch({ executablePath: chromiumPath!, args: FLAGS });

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

/** What makes a page isolated: threads may then share memory. */
export const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** Gives out the files of a folder at a free port of this machine, with those headers. */
export async function serveFolder(folder: string, headers: Readonly<Record<string, string>> = {}): Promise<Served> {
  const server: Server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = normalize(pathname === '/' ? '/index.html' : decodeURIComponent(pathname));
    readFile(join(folder, path)).then(
      (content) => {
        response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', ...headers });
        response.end(content);
      },
      () => {
        response.writeHead(404);
        response.end();
      },
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
