import { test } from 'vitest';
import { catalogueOfMany } from './support/catalogue-of-many.ts';
import { dataDirectory, startTestSite } from './support/test-site.ts';
for (const n of [1, 10, 28]) test('x'+n, async () => {
  let s = performance.now(); const d = await dataDirectory(); console.log('dir', performance.now()-s); s = performance.now();
  const site = await startTestSite({ dataDirectory: d, catalogue: catalogueOfMany(n) }); console.log('start', n, performance.now()-s); s = performance.now();
  await site.site.stop(); console.log('stop', performance.now()-s);
});
