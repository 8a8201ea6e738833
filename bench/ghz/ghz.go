package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ghzArguments are ghz's command line: open loop (--async), one connection and one worker that starts calls, as the laboratory's
// generator has, no templates in the request, and an output that costs little. All of these are the cheapest that ghz offers.
func ghzArguments(set settings, address, id string, length time.Duration) []string {
	return []string{
		"--insecure", "--async", "--connections=1", "--concurrency=1", "--cpus=" + strconv.Itoa(set.cpus), "--disable-template-functions", "--disable-template-data",
		"--import-paths=" + set.proto, "--proto=" + set.proto + "/blog/v1/posts.proto", "--call=blog.v1.PostsService/GetPost",
		"--data={\"id\":\"" + id + "\"}", "--rps=" + strconv.Itoa(set.rate), "--timeout=1s",
		"--duration=" + length.String(), "--duration-stop=wait", "--format=prometheus", address,
	}
}

// ghzTurn reads what ghz prints in the format of Prometheus. ghz counts each call from where grpc-go begins it
// (stats.End: EndTime − BeginTime) and not from the time at which it was to be sent.
func ghzTurn(output io.Reader) (turn, error) {
	t := turn{Call: map[int]time.Duration{}}
	seen := map[string]bool{}
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, quantile, ok := metric(lines.Text())
		if !ok {
			continue
		}
		seen[name] = true
		switch {
		case name == "ghz_run_count":
			t.Count = int(value)
		case name == "ghz_run_errors":
			t.Failed = int(value)
		case name == "ghz_run_latency" && quantile != "":
			t.note(quantile, time.Duration(value))
		}
	}
	if err := lines.Err(); err != nil {
		return t, fmt.Errorf("read the output of ghz: %w", err)
	}
	if !seen["ghz_run_count"] || !seen["ghz_run_errors"] || len(t.Call) != len(percents()) {
		return t, errors.New("ghz printed something that is not understood: use the version that tools/ghz/go.mod names")
	}
	return t, nil
}

// note keeps a quantile ("0.99") if it is one that is compared.
func (t *turn) note(quantile string, value time.Duration) {
	for _, percent := range percents() {
		if quantile == strconv.FormatFloat(float64(percent)/100, 'g', -1, 64) {
			t.Call[percent] = value
		}
	}
}

// metric reads one line of Prometheus' text format: name{labels} value.
func metric(line string) (name string, value float64, quantile string, ok bool) {
	if strings.HasPrefix(line, "#") {
		return "", 0, "", false
	}
	space := strings.LastIndexByte(line, ' ')
	if space < 0 {
		return "", 0, "", false
	}
	value, err := strconv.ParseFloat(line[space+1:], 64)
	if err != nil {
		return "", 0, "", false
	}
	name, _, _ = strings.Cut(line[:space], "{")
	if found := regexp.MustCompile(`[{,]quantile="([0-9.]+)"}$`).FindStringSubmatch(line[:space]); found != nil {
		quantile = found[1]
	}
	return name, value, quantile, true
}
