import { defineConfig } from 'vitest/config';

import type { Plugin } from 'vite';

// The page runs under a strict policy even where a proxy forgets the header: nothing inline,
// nothing from elsewhere. `ws:` and `wss:` are open because a session may live on another host.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
  "connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'";

function policy(): Plugin {
  return {
    name: 'policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
        injectTo: 'head-prepend',
      },
    ],
  };
}

const server = process.env['RIVERRUN_URL'] ?? 'http://127.0.0.1:8000';

export default defineConfig({
  base: './',
  plugins: [policy()],
  build: {
    outDir: '../server/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // The port is one that the server was told of (--allow-origin): on another the page is a stranger's.
  server: {
    port: 5173,
    strictPort: true,
    proxy: { '/v1': { target: server, ws: true, changeOrigin: true } },
  },
  test: { include: ['tests/**/*.test.ts'] },
});
