// Samples that are points: a scatter plot with the true centres, the one that is looked at, one's own, and the way from A to B.
const BLUE = "#0072B2";
const ORANGE = "#D55E00";

export function plane(canvas, { extent, centres }, onclick) {
  const shown = { points: [], way: [], one: null, own: null };
  const reach = 1.2 * extent;
  const place = ([x, y]) => [((x / reach + 1) / 2) * canvas.width, ((1 - y / reach) / 2) * canvas.height];
  canvas.setAttribute("role", "img");
  canvas.ariaLabel = "samples";

  canvas.onclick = (event) => {
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * canvas.width;
    const y = ((event.clientY - box.top) / box.height) * canvas.height;
    let nearest = -1;
    let least = Infinity;
    shown.points.forEach((point, number) => {
      const [px, py] = place(point);
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [nearest, least] = [number, far];
    });
    if (nearest >= 0) onclick(nearest);
  };

  function dot(context, point, radius, colour, filled = true) {
    context.beginPath();
    context.arc(...place(point), radius, 0, 2 * Math.PI);
    context.fillStyle = context.strokeStyle = colour;
    if (filled) context.fill();
    else context.stroke();
  }

  function draw() {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.lineWidth = 1.5;
    for (const centre of centres) dot(context, centre, 9, ORANGE, false);
    context.globalAlpha = 0.5;
    for (const point of shown.points) dot(context, point, 2, BLUE);
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = "#009E73";
    context.beginPath();
    shown.way.forEach((point, number) => (number ? context.lineTo(...place(point)) : context.moveTo(...place(point))));
    context.stroke();
    for (const point of shown.way) dot(context, point, 3, "#009E73");
    context.lineWidth = 3;
    if (shown.own) dot(context, shown.own, 8, "#CC79A7", false);
    if (shown.one) dot(context, shown.one, 7, "#000");
  }

  return {
    show(parts) {
      for (const [name, part] of Object.entries(parts)) if (part !== undefined) shown[name] = part;
      draw();
    },
  };
}
