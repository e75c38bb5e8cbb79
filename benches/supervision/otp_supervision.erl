%% What Erlang's own supervisor needs for what `shell.rs` measures, in nanoseconds:
%% one line a measure. Children are bare processes.
-module(otp_supervision).
-behaviour(supervisor).
-export([start/0, init/1, start_child/1]).

-define(WIDTHS, [100, 1000, 10000, 100000]).
-define(STORMS, [300, 10000]).
-define(CRASHES, 100).
-define(SUPERVISORS, 20).
-define(SIBLINGS, 1000).

start() ->
    %% Crash reports are not what is measured.
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    lists:foreach(fun children/1, ?WIDTHS),
    restarts(),
    lists:foreach(fun storm/1, ?STORMS),
    halt(0).

children(N) ->
    lists:foreach(fun(_) -> static_children(N), dynamic_children(N) end,
                  lists:seq(1, repeats(N))).

repeats(N) when N > 10000 -> 1;
repeats(_) -> 10.

static_children(N) ->
    Specs = [spec(I, none) || I <- lists:seq(1, N)],
    {Start, Sup} = timed(fun() -> up(Specs) end),
    print("start_static_~b", [N], Start div N),
    {Stop, ok} = timed(fun() -> stop(Sup) end),
    print("stop_in_order_~b", [N], Stop div N).

dynamic_children(N) ->
    {ok, Sup} = supervisor:start_link(?MODULE, dynamic),
    {Start, ok} = timed(fun() -> start_children(Sup, N) end),
    print("start_dynamic_~b", [N], Start div N),
    stop(Sup).

start_children(_Sup, 0) -> ok;
start_children(Sup, N) ->
    {ok, _} = supervisor:start_child(Sup, [none]),
    start_children(Sup, N - 1).

%% One crash at a time, from the order to die until the replacement has been spawned.
restarts() ->
    Sorted = lists:sort(lists:append([crashes() || _ <- lists:seq(1, ?SUPERVISORS)])),
    print("restart_median", [], lists:nth(length(Sorted) div 2, Sorted)),
    print("restart_p99", [], lists:nth(length(Sorted) * 99 div 100, Sorted)).

crashes() ->
    {Sup, Pids} = heard(?SIBLINGS),
    Latencies = [restart(Pid) || Pid <- lists:sublist(Pids, ?CRASHES)],
    stop(Sup),
    Latencies.

restart(Pid) ->
    {Taken, _} = timed(fun() -> Pid ! crash, begun(1) end),
    Taken.

%% Everybody dies at once; over when everybody is there again.
storm(N) ->
    {Sup, Pids} = heard(N),
    {Taken, _} = timed(fun() ->
        lists:foreach(fun(Pid) -> Pid ! crash end, Pids),
        begun(N)
    end),
    print("storm_~b", [N], Taken div N),
    stop(Sup).

%% A supervisor whose children say when they begin, and these children.
heard(N) ->
    Sup = up([spec(I, self()) || I <- lists:seq(1, N)]),
    {Sup, begun(N)}.

begun(0) -> [];
begun(N) -> receive {begun, Pid} -> [Pid | begun(N - 1)] end.

up(Specs) ->
    {ok, Sup} = supervisor:start_link(?MODULE, {static, Specs}),
    Sup.

stop(Sup) ->
    exit(Sup, shutdown),
    receive {'EXIT', Sup, shutdown} -> ok end.

%% As many restarts as the shell allows, in as long.
init({static, Specs}) ->
    {ok, {#{intensity => 100000, period => 5}, Specs}};
init(dynamic) ->
    Flags = #{strategy => simple_one_for_one, intensity => 100000, period => 5},
    {ok, {Flags, [#{id => child, start => {?MODULE, start_child, []}}]}}.

spec(Id, Listener) ->
    #{id => Id, start => {?MODULE, start_child, [Listener]}}.

start_child(Listener) ->
    Pid = spawn_link(fun() -> receive crash -> exit(crash) end end),
    case Listener of
        none -> ok;
        _ -> Listener ! {begun, Pid}
    end,
    {ok, Pid}.

timed(Fun) ->
    Begun = erlang:monotonic_time(nanosecond),
    Result = Fun(),
    {erlang:monotonic_time(nanosecond) - Begun, Result}.

print(Format, Arguments, Nanoseconds) ->
    io:format(Format ++ " ~b~n", Arguments ++ [Nanoseconds]).
