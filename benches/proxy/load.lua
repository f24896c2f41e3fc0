-- What wrk sends, and what it tells at the end as one line that run.py reads. @…@ is filled in by run.py.
wrk.method = "POST"
wrk.body = '@body@'
wrk.headers["Content-Type"] = "@kind@"
wrk.headers["Authorization"] = "Bearer @token@"

done = function(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format("measured %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), failed))
end
