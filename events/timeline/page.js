"use strict";
(function () {
  var rows = Array.from(document.querySelectorAll(".call"));
  var view = document.getElementById("view"), wide = document.getElementById("wide"), told = document.getElementById("told");
  var at = 0, chosen = false, zoom = 1;
  function go(to) {
    if (rows.length === 0) { return; }
    rows[Math.max(0, Math.min(rows.length - 1, to))].focus({preventScroll: true});
    rows[at].scrollIntoView({block: "nearest", inline: "nearest"});
  }
  function magnify(to) {
    var middle = (view.scrollLeft + view.clientWidth / 2) / wide.offsetWidth;
    zoom = Math.max(1, Math.min(64, to));
    wide.style.width = 100 * zoom + "%";
    view.scrollLeft = middle * wide.offsetWidth - view.clientWidth / 2;
  }
  function failed(from) {
    var next = rows.findIndex(function (row, i) { return i > from ? row.classList.contains("bad") : false; });
    go(next === -1 ? at : next);
  }
  var anywhere = {
    "+": function () { magnify(2 * zoom); }, "=": function () { magnify(2 * zoom); },
    "-": function () { magnify(zoom / 2); }, "0": function () { magnify(1); },
    "f": function () { failed(chosen ? at : -1); }
  };
  var inRows = {
    "ArrowDown": function () { go(at + 1); }, "ArrowUp": function () { go(at - 1); },
    "PageDown": function () { go(at + 20); }, "PageUp": function () { go(at - 20); },
    "Home": function () { go(0); }, "End": function () { go(rows.length - 1); },
    "ArrowLeft": function () { view.scrollLeft -= 80; }, "ArrowRight": function () { view.scrollLeft += 80; }
  };
  rows.forEach(function (row, i) {
    row.addEventListener("click", function () { row.focus({preventScroll: true}); });
    row.addEventListener("focus", function () {
      rows[at].setAttribute("tabindex", "-1");
      row.setAttribute("tabindex", "0");
      at = i;
      chosen = true;
      told.textContent = row.querySelector("title").textContent;
    });
  });
  document.addEventListener("keydown", function (e) {
    if (e.ctrlKey || e.metaKey || e.altKey) { return; }
    var known = Object.hasOwn(anywhere, e.key) ? anywhere : document.activeElement === rows[at] ? inRows : {};
    if (Object.hasOwn(known, e.key)) { e.preventDefault(); known[e.key](); }
  });
  document.querySelectorAll("button").forEach(function (b) {
    b.addEventListener("click", function () { anywhere[b.dataset.key](); });
  });
})();
