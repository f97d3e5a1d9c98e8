// The part of sharp (libvips) in './graft bench --resize': sharp.js FOLDER WIDTHxHEIGHT
const fs = require('fs');

let sharp;
try {
    sharp = require('sharp');
} catch (e) {
    console.error("node does not find sharp: 'npm install --prefix FOLDER sharp', then set NODE_PATH=FOLDER/node_modules.");
    process.exit(1);
}
sharp.concurrency(1);
sharp.cache(false);

const folder = process.argv[2];
const [width, height] = process.argv[3].split('x').map(Number);
const pixels = fs.readFileSync(`${folder}/photo`);
const w = Math.floor((256 * width) / height);
const photo = () => sharp(pixels, { raw: { width, height, channels: 3 } });
const resized = () => photo().resize(w, 256, { kernel: 'linear', fit: 'fill' });
const middle = { left: Math.floor((w - 224) / 2), top: 16, width: 224, height: 224 };
const rows = {
    resize: () => resized().raw().toBuffer(),
    resize_crop: () => resized().extract(middle).raw().toBuffer(),
};

async function median(call, seconds) {
    const each = [];
    const begun = performance.now();
    while (performance.now() - begun < 1000 * seconds) {
        const start = performance.now();
        await call();
        each.push(performance.now() - start);
    }
    return each.sort((a, b) => a - b)[each.length >> 1];
}

(async () => {
    console.log(`engine sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}, SIMD ${sharp.simd()}`);
    for (const [name, call] of Object.entries(rows)) {
        fs.writeFileSync(`${folder}/${name}`, await call());
        await median(call, 1);
        console.log(name, await median(call, 0.5));
    }
})();
