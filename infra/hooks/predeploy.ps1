# Notes the commit for the image's build. Without Git or a commit there is none, and the worker says "unknown".
$version = ''
if (Get-Command git -ErrorAction SilentlyContinue) {
    $version = git describe --always --abbrev=12 --dirty=+changes --exclude='*' 2>$null
    if ($LASTEXITCODE -ne 0) { $version = '' }
}
azd env set CHAT_VERSION "$version"
exit $LASTEXITCODE
