/**
 * The playground as static files in dist/playground, which any server can give out; isolated, where it sends two
 * headers, as this one does.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { PAGE_STYLE } from '../dist/src/report/page/style.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  resolve: {
    alias: [
      { find: /^hmatrix$/, replacement: `${root}dist/src/index.js` },
      { find: /^hmatrix\/([\w-]+)$/, replacement: `${root}dist/src/public/$1.js` },
    ],
  },
  // Reports and this page look alike.
  plugins: [
    { name: 'style', transformIndexHtml: () => [{ tag: 'style', children: PAGE_STYLE, injectTo: 'head-prepend' }] },
  ],
  build: { outDir: `${root}dist/playground`, emptyOutDir: true, target: 'es2022', chunkSizeWarningLimit: 2000 },
  worker: { format: 'es' },
  server: { headers },
  preview: { headers },
});
