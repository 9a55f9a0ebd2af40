package app

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics shows the status, what the doors took and what preparation could not put into its column to /metrics.
type metrics struct {
	app    *App
	gauges map[string]*prometheus.Desc

	conflicts, accepted, refused, failed, bytes *prometheus.Desc
}

func newMetrics(a *App) metrics {
	m := metrics{app: a, gauges: map[string]*prometheus.Desc{}}
	for name, help := range map[string]string{
		"received": "Events the journal holds.", "rows": "Rows of clean.events.", "quarantined": "Events in quarantine.",
		"duplicates": "Events that came again and were left out, since the start.", "lag": "Events that no query sees yet.",
		"journal_bytes": "Size of the journal.", "hot_files": "Files of the hot tail.",
	} {
		m.gauges[name] = prometheus.NewDesc("kith_"+name, help, nil, nil)
	}
	door := []string{"source", "source_id", "door"} // a name may be given again, a number never
	m.conflicts = prometheus.NewDesc("kith_conflicts_total", "Values of another type than their column's, which is null there.", []string{"column"}, nil)
	m.accepted = prometheus.NewDesc("kith_door_accepted_total", "Events taken.", door, nil)
	m.refused = prometheus.NewDesc("kith_door_refused_total", "Events stored although they have a fault.", append(door, "reason"), nil)
	m.failed = prometheus.NewDesc("kith_door_failed_total", "Requests that stored nothing.", append(door, "code"), nil)
	m.bytes = prometheus.NewDesc("kith_door_bytes_total", "Bytes of the bodies, unpacked.", door, nil)
	return m
}

// Describe is for prometheus.
func (m metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range m.gauges {
		to <- d
	}
	for _, d := range []*prometheus.Desc{m.conflicts, m.accepted, m.refused, m.failed, m.bytes} {
		to <- d
	}
}

// Collect is for prometheus.
func (m metrics) Collect(to chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	if kept, err := m.app.kept.get(); err == nil {
		for _, c := range kept.prepare.Counters() {
			count(m.conflicts, c.Conflicts, c.Column)
		}
	}
	for _, c := range m.app.collector.Stats() {
		id := strconv.Itoa(int(c.Source))
		count(m.accepted, c.Accepted, c.Name, id, c.Door)
		count(m.bytes, c.Bytes, c.Name, id, c.Door)
		for _, r := range c.Refused {
			count(m.refused, r.Times, c.Name, id, c.Door, r.Word)
		}
		for _, r := range c.Failed {
			count(m.failed, r.Times, c.Name, id, c.Door, r.Word)
		}
	}
	s, err := state{m.app}.Status(context.Background())
	if err != nil {
		return // a journal that cannot be read says so in the log and in /readyz
	}
	for name, n := range map[string]int64{"received": s.Received, "rows": s.Rows, "quarantined": s.Quarantined, "duplicates": s.Duplicates,
		"lag": s.Lag, "journal_bytes": s.Bytes, "hot_files": int64(s.HotFiles)} {
		to <- prometheus.MustNewConstMetric(m.gauges[name], prometheus.GaugeValue, float64(n))
	}
}
