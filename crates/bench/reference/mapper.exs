# Maps events to points with Enum, event by event: `elixir mapper.exs LINES`, or `version` for what it runs on.
# Prints one line of JSON: seconds of the second time, points, and the sum of their values.

defmodule Mapper do
  @metrics ["temperature", "humidity"]
  @tags ["device", "site"]

  # Points {time, series, value, event}, and the series in the order of their first point.
  def map(lines) do
    {points, series} =
      lines
      |> Enum.map(&:jiffy.decode(&1, [:return_maps]))
      |> Enum.with_index()
      |> Enum.flat_map(fn {event, index} ->
        tags = Map.take(event, @tags)
        Enum.map(@metrics, fn metric -> {event["at"] * 1000, {metric, tags}, event[metric], index} end)
      end)
      |> Enum.map_reduce(%{}, fn {time, key, value, index}, series ->
        series = Map.put_new(series, key, map_size(series))
        {{time, series[key], value, index}, series}
      end)

    {points, series}
  end
end

case System.argv() do
  ["version"] ->
    emulator = :erlang.system_info(:emu_flavor)
    IO.puts(~s({"elixir": "#{System.version()}", "otp": "#{System.otp_release()}", "emulator": "#{emulator}"}))

  [file] ->
    lines = file |> File.read!() |> String.split("\n", trim: true)
    Mapper.map(lines)
    :erlang.garbage_collect()
    {micros, {points, _}} = :timer.tc(fn -> Mapper.map(lines) end)
    sum = Enum.reduce(points, 0.0, fn {_, _, value, _}, sum -> sum + value end)
    IO.puts(~s({"seconds": #{micros / 1_000_000}, "points": #{length(points)}, "sum": #{sum}}))
end
