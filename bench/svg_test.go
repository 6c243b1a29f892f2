package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
}

func readable(t *testing.T, svg string) {
	t.Helper()
	wellFormed(t, svg)
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("not a number in\n%s", svg)
	}
	if !strings.Contains(svg, "prefers-color-scheme:dark") {
		t.Error("nothing for dark")
	}
}

func TestBarChart(t *testing.T) {
	c := barChart{title: "a < b & \"c\"", note: "note", unit: "ns", series: []string{"one", "many"}, bars: []bar{
		{"Fairlead", true, []float64{10, 12}},
		{"nothing", false, []float64{0, math.NaN()}},
		{"much", false, []float64{1e6, math.Inf(1)}},
	}}
	readable(t, c.svg())
	c.bars = nil
	readable(t, c.svg())
}

func TestLineChart(t *testing.T) {
	c := lineChart{title: "growth", unit: "µs", sizes: sizes, lines: []line{
		{"Fairlead", true, []float64{1, 1, 1, 1}},
		{"ends early", false, []float64{1, 2, math.NaN(), math.NaN()}},
		{"not there", false, []float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}},
	}}
	readable(t, c.svg())
	if strings.Contains(c.svg(), "not there") {
		t.Error("a label without a line")
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 12.34: "12.3", 123.4: "123", 1234: "1,230", 1234567: "1,230,000", 0.0123: "0.0123",
		0.00001: "1.0e-05", -4321: "-4,320", 100: "100", 999.9: "1,000", math.NaN(): "–", 1000: "1,000",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
