# fish completion for kpush
function __kpush_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l answer (kpush __complete $words[2..-1] "$current" 2>/dev/null </dev/null)
    or return
    set -l directive (string replace -r '^:' '' -- $answer[-1])
    set -e answer[-1]
    if test (count $answer) -gt 0
        printf '%s\n' $answer
    else if contains -- "$directive" 0 2
        __fish_complete_path (string replace -r '^--[^=]*=' '' -- $current)
    end
end
complete -c kpush -e
complete -c kpush -f -a '(__kpush_complete)'
